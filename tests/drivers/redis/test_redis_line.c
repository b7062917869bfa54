/* SPDX-License-Identifier: MIT */
/*
 * The line of commands against a plain model, step by step by chance.
 */
#include "drivers/redis/line.h"

#include <string.h>

#include "drivers/redis/conn.h"
#include "tests/support/hrtest.h"

#define N 4096

/* A command's bytes are its number, over and over. */
struct model {
    struct hr__redis_call calls[N];
    size_t len[N];
    size_t left[N]; /* bytes that have not left */
    bool wanted[N], back[N];
    size_t head, tail;
    char out[N * 64];
    size_t size;
};

static bool model_sent(const struct model *m, size_t i)
{
    return m->left[i] == 0 && !m->back[i];
}

static void join(struct hr__redis_line *line, struct model *m, size_t len)
{
    size_t i = m->tail++;
    m->len[i] = m->left[i] = len;
    m->wanted[i] = true;
    memset(m->out + m->size, (char)i, len);
    m->size += len;
    ASSERT_EQ(hr__redis_line_reserve(line), 0);
    m->calls[i].place = hr__redis_line_join(line, &m->calls[i], len, 0);
}

static void tidy(struct hr__redis_line *line, struct model *m)
{
    size_t at = 0;
    m->size -= hr__redis_line_tidy(line, m->out);
    for (size_t i = m->head; i < m->tail; i++) {
        for (size_t n = m->back[i] ? 0 : m->left[i]; n > 0; n--)
            ASSERT_EQ(m->out[at++], (char)i);
    }
    ASSERT_EQ(m->size, at);
}

static void write_some(struct hr__redis_line *line, struct model *m, size_t n)
{
    size_t done = 0;
    tidy(line, m);
    for (size_t i = m->head; i < m->tail && done < n; i++) {
        size_t take = m->back[i] ? 0 : m->left[i] < n - done ? m->left[i] : n - done;
        m->left[i] -= take;
        done += take;
    }
    memmove(m->out, m->out + done, m->size - done);
    m->size -= done;
    hr__redis_line_written(line, done);
}

static void leave(struct hr__redis_line *line, struct model *m, size_t i)
{
    bool possible = m->left[i] == m->len[i];
    ASSERT_EQ(hr__redis_line_take_back(line, m->calls[i].place), possible);
    m->back[i] = possible;
    if (!possible)
        hr__redis_line_forget(line, m->calls[i].place);
    m->wanted[i] = false;
}

static void pop(struct hr__redis_line *line, struct model *m)
{
    while (m->head < m->tail && m->back[m->head])
        m->head++;
    bool due = m->head < m->tail && model_sent(m, m->head);
    ASSERT_EQ(hr__redis_line_due(line), due);
    if (!due)
        return;
    ASSERT_PTR(hr__redis_line_pop(line), m->wanted[m->head] ? &m->calls[m->head] : NULL);
    m->head++;
}

TEST_PLAIN(every_reply_finds_its_place_whatever_is_taken_back)
{
    static struct model m;
    uint32_t dice = 1;
    for (int round = 0; round < 200; round++) {
        struct hr__redis_line line = {0};
        memset(&m, 0, sizeof(m));
        while (m.tail < 200 + (size_t)round) {
            dice = dice * 1664525 + 1013904223;
            uint32_t roll = dice >> 16;
            if (roll % 8 < 4) {
                join(&line, &m, 1 + roll % 50);
            } else if (roll % 8 == 4) {
                write_some(&line, &m, roll % 120);
            } else if (roll % 8 == 5 && m.head < m.tail) {
                size_t i = m.head + roll / 8 % (m.tail - m.head);
                if (m.wanted[i])
                    leave(&line, &m, i);
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
