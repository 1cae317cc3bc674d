"""All of it, or some: `python bench/run.py [NAME ...] [--rounds 5] [--seconds 2]`; `make bench`.

    throughput    accepts, whole lives, latency, polls, and the limits beside them
    growth        the same with a million finished ones and a million queued ones in the store
    waiters       idle long polls and streams: memory of each, how fast they are woken
    sweep         a million results past their retention are removed while accepts go on
    deliveries    webhooks per second
    bodies        1 MiB and 16 MiB: MB/s and memory

Each prints its table and is written to results/NAME.json; from these, docs/performance.md is made again. With
all its defaults it takes a quarter of an hour, on a machine on which nothing else runs. Needs `wrk`.
"""

import argparse
import contextlib
import importlib
import os
import signal
import sys
import time
import traceback
from pathlib import Path

import load
import record
import report
from ends import POSTGRESQL, STORES, Stores

BENCHES = ("throughput", "growth", "waiters", "sweep", "deliveries", "bodies")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("names", nargs="*", choices=[*BENCHES, []], metavar="NAME")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=2, help="of each measurement of a throughput")
    parser.add_argument("--millions", type=int, nargs="+", default=[1], help="finished ones, for growth")
    parser.add_argument("--stores", nargs="+", choices=STORES, default=list(STORES))
    parser.add_argument("--folder", help="where the files of SQLite are put; a disk, no memory")
    parser.add_argument("--results", type=Path, default=record.RESULTS, help="where the records are put")
    options = parser.parse_args()
    load.need_wrk()
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what was started is ended, as by Ctrl-C
    failed = [name for name in options.names or BENCHES if not run(name, options)]
    if options.results == record.RESULTS:
        report.main()
    return 1 if failed else 0


def run(name: str, options: argparse.Namespace) -> bool:
    """False: it was not measured; why is on standard error. The others are all the same."""
    begun = time.monotonic()
    try:
        with Stores(options.folder) as stores:
            versions = stores.postgres_version() if POSTGRESQL in options.stores else {}
            with contextlib.redirect_stdout(open(os.devnull, "w")):
                found = importlib.import_module(name).measure(stores, options)
    except (Exception, SystemExit):
        print(f"{name}: not measured", file=sys.stderr)
        traceback.print_exc()
        return False
    found.versions.update(versions, wrk=record.wrk_version())
    record.write(found, options.results)
    print(f"{found.title}, {time.monotonic() - begun:.0f} s\n\n{report.table(found)}")
    print(report.targets([found]) if found.targets else "", flush=True)
    return True


if __name__ == "__main__":
    sys.exit(main())
