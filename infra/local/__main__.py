"""Run the whole shop here: `python -m infra.local [run|reset]`, with PORT, HOST, WORKERS, DATABASE_URL, BROKER."""

import sys

from infra.local.supervisor import CannotStart, Options, reset, run


def main(arguments: list[str]) -> int:
    try:
        match arguments:
            case [] | ["run"]:
                run(Options.from_environment())
            case ["reset"]:
                reset(Options.from_environment())
            case _:
                print(__doc__, file=sys.stderr)
                return 2
    except CannotStart as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
