#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""./dev demo: 100,000 orders go from a Redis list into a MariaDB table while the daemon is killed.

Ends with a table and exit status 0 when every order is one row or one dead letter, and the dead
letters say what they should; else it says what is off and ends with 1.
"""
import os
import signal
import sys
import time
import types

# The folder above, where the packages demo and support are; in this one, demo is this file.
sys.path[0] = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))

# pylint: disable=wrong-import-position
from demo.options import arguments  # noqa: E402
from demo.orders import Series, encode, make  # noqa: E402
from demo.progress import Progress  # noqa: E402
from demo.report import Report  # noqa: E402
from demo.stage import Stage  # noqa: E402
from support.headraced import BUILD  # noqa: E402

BAD = 37
KILLS = 3
PATIENCE = 60  # seconds without any progress until the demo gives up


def main():
    args = arguments()
    sys.stdout.reconfigure(line_buffering=True)  # into a pipe or a file, too, what comes first is first
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.default_int_handler)
    try:
        with Stage(args.keep) as stage:
            off = perform(stage, args)
            if off:
                raise AssertionError("\n".join(off))
            if args.keep:
                stage.daemon.start()
        if args.keep:
            tell_how_to_go_on(stage, args.orders)
        return 0
    except KeyboardInterrupt:
        print("\ndemo: interrupted; servers stopped, scratch folder removed", file=sys.stderr)
        return 130
    except AssertionError as error:
        print(f"demo: this is off:\n{error}", file=sys.stderr)
        return 1


def perform(stage, args):
    """The whole play. Returns what is off, a sentence each."""
    print(f"{args.orders:,} orders, {BAD} of them bad, go from a Redis list into a MariaDB table;\n"
          f"headraced is killed {KILLS} times on the way. Its configuration: packaging/examples\n")
    series = Series(args.orders, BAD)
    stage.set_up()
    push(stage.redis.client, series.items)

    run = drain(stage, len(series.items))
    status = stage.daemon.stop()
    run.cpu_seconds, run.peak_memory = stage.daemon.cpu_seconds, stage.daemon.peak_memory
    run.runs = stage.daemon.runs

    report = Report(series, stage.redis, stage.mariadb)
    print("\n" + report.table(run) + "\n")
    return report.problems() + ([f"headraced ended with {status} after SIGTERM"] if status else [])


def push(client, items, piece=1000):
    for start in range(0, len(items), piece):
        client.rpush("orders", *items[start:start + piece])


def drain(stage, total):
    """Runs the daemon until nothing is left, kills it on the way. Returns what happened."""
    client, daemon = stage.redis.client, stage.daemon
    marks = [total * (k + 1) // (KILLS + 1) for k in range(KILLS)]
    killed_at, progress = [], Progress(total)
    queue, moved = total, time.monotonic()
    begun = time.monotonic()
    daemon.start(wait=False)
    while not daemon.drained(client):
        before, queue = queue, client.llen("orders")
        now = time.monotonic()
        moved = now if queue != before else moved
        if not daemon.running or now - moved > PATIENCE:
            state = "stands still" if daemon.running else "has ended"
            raise AssertionError(f"headraced {state}\n{daemon.tail()}")
        if marks and total - queue >= marks[0]:
            marks.pop(0)
            daemon.kill()
            killed_at.append(f"{100 * (total - queue) // total} %")
            progress.say(f"  SIGKILL to headraced with {queue:,} orders in the list; started again")
            daemon.start(wait=False)
        daemon.look()
        if progress.due():
            progress.show(stage.mariadb.count("orders"), queue, client.llen("orders:dead"))
        time.sleep(0.002)
    seconds = time.monotonic() - begun
    progress.show(stage.mariadb.count("orders"), 0, client.llen("orders:dead"), force=True)
    progress.end()
    return types.SimpleNamespace(kills=len(killed_at), seconds=seconds, story=story(killed_at, daemon))


def story(killed_at, daemon):
    taken_over = daemon.log.count(" taken over, generation ")
    return f"SIGKILL with {', '.join(killed_at)} claimed; {taken_over} batches taken over"


def tell_how_to_go_on(stage, n):
    order = encode(make(n)).decode()
    ask = f"{os.path.relpath(os.path.join(BUILD, 'headracectl'))} --socket {stage.daemon.admin_socket}"
    print(f"""All three run on. Push an order, and see its row:

  redis-cli -s {stage.redis.socket} RPUSH orders '{order}'
  mariadb -S {stage.mariadb.socket} -u root shop -e 'SELECT * FROM orders ORDER BY id DESC LIMIT 1'

Programs reach them at

  {stage.redis.url}
  {stage.mariadb.url}

How the job fares, and what became of the bad ones:

  {ask} status
  {ask} dead ls orders --limit 5

The configuration is in {stage.daemon.config}, the log is {stage.daemon.log_path}.
Stop everything and remove it with

  {stage.stopper}""")


if __name__ == "__main__":
    sys.exit(main())
