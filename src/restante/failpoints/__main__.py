"""`python -m restante.failpoints POINTS serve …`: the command, which dies where it is told to.

POINTS is as in orders.py. Without anything it says which points there are.
"""

import runpy
import sys

from .orders import Unusable, read
from .points import POINTS
from .putting import PACKAGE, put, put_into_children

UNUSABLE = 2


def main() -> None:
    _, *words = sys.argv
    if not words:
        width = max(len(point.name) for point in POINTS)
        print("\n".join(f"{point.name:{width}}  {point.means}" for point in POINTS))
        return
    text, *command = words
    try:
        orders = read(text)
        if command in ([], ["-m"]):
            raise Unusable(f"{text} is followed by no command: {text} serve …")
    except Unusable as error:
        print(f"{PACKAGE}: failpoints: {error}", file=sys.stderr)
        sys.exit(UNUSABLE)
    put(orders)
    put_into_children(text)
    module = PACKAGE
    if command[:1] == ["-m"]:  # a process of ours that was started by one with points
        _, module, *command = command
    sys.argv = [module, *command]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
