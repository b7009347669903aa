"""What a notebook hands to whoever runs it as a test."""

from __future__ import annotations

import json
from typing import Any

RESULT_TYPE = "application/vnd.unaiverse-lab.result+json"


class Result(dict[str, Any]):
    """Values of a run, shown as text and readable by programs in the executed notebook."""

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> dict[str, Any]:
        return {RESULT_TYPE: dict(self), "text/plain": json.dumps(self, indent=2, ensure_ascii=False, sort_keys=True)}


def result(**values: Any) -> Result:
    """The result of a notebook: what its last cell returns, tagged ``result``.

    Args:
        values: anything JSON can hold.

    Raises:
        TypeError: a value that JSON cannot hold.
    """
    json.dumps(values)
    return Result(values)


def read_result(notebook: dict[str, Any]) -> dict[str, Any]:
    """The result in an executed notebook (its JSON object).

    Raises:
        ValueError: no cell of it ended with :func:`result`.
    """
    for cell in reversed(notebook.get("cells", [])):
        for output in cell.get("outputs", []):
            found = output.get("data", {}).get(RESULT_TYPE)
            if found is not None:
                return dict(found)
    raise ValueError("no cell of this notebook ended with result(...)")
