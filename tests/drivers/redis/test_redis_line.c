/* SPDX-License-Identifier: MIT */
/*
 * The line of commands against a plain model, step by step by chance.
 */
#include "drivers/redis/line.h"

#include "tests/support/hrtest.h"

#define N 4096

/* Never looked into: only told apart. */
static struct hr__redis_call *call_of(size_t i)
{
    return (struct hr__redis_call *)(uintptr_t)(i + 1);
}

struct model {
    size_t len[N];
    size_t left[N]; /* bytes that have not left */
    bool wanted[N], back[N];
    size_t head, tail;
};

static bool model_sent(const struct model *m, size_t place)
{
    return m->left[place] == 0 && !m->back[place];
}

static void write_some(struct hr__redis_line *line, struct model *m, size_t n)
{
    size_t done = 0;
    for (size_t i = m->head; i < m->tail && done < n; i++) {
        size_t take = m->back[i] ? 0 : m->left[i] < n - done ? m->left[i] : n - done;
        m->left[i] -= take;
        done += take;
    }
    hr__redis_line_written(line, done);
}

static void take_back(struct hr__redis_line *line, struct model *m, size_t place)
{
    size_t want_offset = 0, offset = 0;
    for (size_t i = m->head; i < place; i++)
        want_offset += m->back[i] ? 0 : m->left[i];
    bool possible = m->left[place] == m->len[place];
    size_t len = hr__redis_line_take_back(line, place, &offset);
    ASSERT_EQ(len, possible ? m->len[place] : 0);
    if (possible)
        ASSERT_EQ(offset, want_offset);
    m->back[place] = possible;
    if (!possible)
        hr__redis_line_forget(line, place);
    m->wanted[place] = false;
}

static void pop(struct hr__redis_line *line, struct model *m)
{
    while (m->head < m->tail && m->back[m->head])
        m->head++;
    bool due = m->head < m->tail && model_sent(m, m->head);
    ASSERT_EQ(hr__redis_line_due(line), due);
    if (!due)
        return;
    ASSERT_PTR(hr__redis_line_pop(line), m->wanted[m->head] ? call_of(m->head) : NULL);
    m->head++;
}

TEST_PLAIN(every_reply_finds_its_place_whatever_is_taken_back)
{
    static struct model m;
    uint32_t dice = 1;
    for (int round = 0; round < 200; round++) {
        struct hr__redis_line line = {0};
        m = (struct model){0};
        while (m.tail < 200 + (size_t)round) {
            dice = dice * 1664525 + 1013904223;
            uint32_t roll = dice >> 16;
            if (roll % 8 < 4) {
                ASSERT_EQ(hr__redis_line_reserve(&line), 0);
                size_t i = m.tail++;
                m.len[i] = m.left[i] = 1 + roll % 50;
                m.wanted[i] = true;
                ASSERT_EQ(hr__redis_line_join(&line, call_of(i), m.len[i], 0), i);
            } else if (roll % 8 == 4) {
                write_some(&line, &m, roll % 120);
            } else if (roll % 8 == 5 && m.head < m.tail) {
                size_t place = m.head + roll / 8 % (m.tail - m.head);
                if (m.wanted[place])
                    take_back(&line, &m, place);
            } else {
                pop(&line, &m);
            }
        }
        write_some(&line, &m, SIZE_MAX);
        for (size_t i = 0; i < m.tail; i++)
            pop(&line, &m);
        while (m.head < m.tail && m.back[m.head])
            m.head++;
        ASSERT_EQ(m.head, m.tail);
        ASSERT_TRUE(hr__redis_line_empty(&line));
        hr__redis_line_done(&line);
    }
}
