"""Why an endpoint gave no status, for plain connections and those through TLS."""


class Unanswered(Exception):
    """Why no status came: a typed word, a colon, and what happened."""


def place(address: str | tuple[str, int]) -> str:
    if isinstance(address, str):
        return address
    host, port = address[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
