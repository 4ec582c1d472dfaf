"""What json.dumps has no form for, in the lossless form of to_json()."""

import base64
from datetime import datetime
from uuid import UUID


def default(value):
    if isinstance(value, datetime):
        text = value.isoformat()
        return {"$date": text[:-6] + "Z" if text.endswith("+00:00") else text}
    if isinstance(value, UUID):
        return {"$uuid": str(value)}
    if isinstance(value, (bytes, bytearray, memoryview)):
        return {"$bytes": base64.b64encode(value).decode("ascii")}
    raise TypeError(f"Object of type {type(value).__name__} is not JSON serializable")
