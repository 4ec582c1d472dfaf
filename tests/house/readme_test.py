"""Shows that the programs in the README are examples that are built and run.

    readme_test.py README.md EXAMPLE...
"""

import re
import sys

LANGUAGES = {"cc": "cpp", "py": "python"}  # what a block is marked with, by the ending of its file


def main():
    readme, *examples = sys.argv[1:]
    with open(readme, encoding="utf-8") as file:
        blocks = re.findall(r"^```(\w+)\n(.*?)^```$", file.read(), flags=re.DOTALL | re.MULTILINE)
    missing = 0
    for example in examples:
        language = LANGUAGES[example.rpartition(".")[2]]
        with open(example, encoding="utf-8") as file:
            program = file.read()
        if (language, program) not in blocks:
            print(f"{readme}: no {language} block is {example}")
            missing += 1
    return 1 if missing else 0


if __name__ == "__main__":
    sys.exit(main())
