"""Asks the Hub for one data set, in a process of its own; started by `hub.py`, which says what it is to do in one line of JSON.

Lines of output: {"about": {...}} for job "look"; {"rows": n, "size": bytes} as they come and {"done": n, "cut": bool} for job
"fetch". Instead of the rest {"error": kind}, a key of `hub.failure`. No code of a data set is run: the library has no way to,
and only the readers of plain tables in KINDS are used.
"""

from __future__ import annotations

from typing import Any

from studio.hub.child import Refused, kind_of, say, serve

KINDS = ("parquet", "json", "csv", "text", "arrow")
MEMORY = 4 * 2**30  # bytes; a row group of Parquet is unpacked as a whole, and the libraries take 0.5 GB
SECONDS = 3600  # of computing; waiting for the network does not count
BATCH = 1000  # rows
TIMEOUT = 20.0  # seconds for one answer of the Hub's pages about a data set

CAUSES = {
    "DatasetNotFoundError": "missing",
    "EmptyDatasetError": "empty",
    "DataFilesNotFoundError": "kind",
    "ArrowMemoryError": "big",
    "DatasetGenerationCastError": "damaged",
    "CastError": "damaged",
    "ArrowInvalid": "damaged",
    "ParserError": "damaged",
}
"""Class of an error -> what it means, besides those of `child.py`."""


def look(request: dict[str, Any]) -> None:
    """Print what the Hub says of a data set: first what is open to all, then what its files hold."""
    from huggingface_hub import HfApi  # noqa: PLC0415

    token = request["token"] or False
    info = HfApi(token=token).dataset_info(request["name"], files_metadata=True, timeout=TIMEOUT)
    if "/" not in info.id:
        raise Refused("owner")  # the library reads no files of a repository without one
    files = {item.rfilename: item.size or 0 for item in info.siblings or ()}
    if f"{info.id.split('/')[-1]}.py" in files:
        raise Refused("script")
    card = info.card_data.to_dict() if info.card_data else {}
    if ".huggingface.yaml" in files or not all(map(stays_inside, named_files(card.get("configs")))):
        raise Refused("outside")
    about: dict[str, Any] = {
        "name": info.id,
        "revision": info.sha,
        "licence": _licence(card.get("license")),
        "size": sum(files.values()),
        "gated": bool(info.gated),
        "configs": [],
        "config": "",
        "splits": {},
    }
    try:
        about |= _parts(info.id, info.sha, request["config"], token, files)
    except Exception as error:
        if not (about["gated"] and kind_of(error, CAUSES) in ("gated", "missing")):
            raise
    say(about=about)


def _parts(name: str, revision: str, config: str, token: str | bool, files: dict[str, int]) -> dict[str, Any]:
    """The configurations of a data set, and the splits of one with the bytes of their files."""
    from datasets import get_dataset_config_names  # noqa: PLC0415

    configs = get_dataset_config_names(f"hf://datasets/{name}", revision=revision, token=token)
    if config and config not in configs:
        raise Refused("config")
    chosen = config or ("default" if "default" in configs else configs[0])
    builder = _builder(name, chosen, revision, token)
    splits = {}
    for split, paths in (builder.config.data_files or {}).items():
        names = [str(path).partition(f"@{revision}/")[2] for path in paths]
        splits[str(split)] = sum(files.get(item, 0) for item in names)
    return {"configs": configs, "config": chosen, "splits": splits}


def _builder(name: str, config: str, revision: str, token: str | bool) -> Any:
    """The library's reader for a data set, if it is one of plain tables. Raises Refused."""
    from datasets import load_dataset_builder  # noqa: PLC0415

    # the prefix keeps the library from taking a local folder or one of its own readers by that name
    builder = load_dataset_builder(f"hf://datasets/{name}", config or None, revision=revision, token=token)
    if type(builder).__module__.split(".")[-1] not in KINDS:
        raise Refused("kind")
    inside = f"hf://datasets/{name}@{revision}/"
    if not all(str(path).startswith(inside) for paths in (builder.config.data_files or {}).values() for path in paths):
        raise Refused("outside")
    return builder


def named_files(configs: Any) -> list[str]:
    """Every file, pattern and folder that a card's configurations name, however deep."""
    waiting, found = [configs], []
    while waiting:
        item = waiting.pop()
        if isinstance(item, str):
            found.append(item)
        elif isinstance(item, (list, dict)):
            waiting += item.values() if isinstance(item, dict) else item
    return found


def stays_inside(path: str) -> bool:
    """Whether a name in a card means a file of its own repository, and no address or file of this computer.

    The library would look up any, a web address and /etc/passwd alike, before it could be seen which files it found.
    """
    plain = path.replace("\\", "/")
    return "://" not in plain and ":" not in plain[:3] and not plain.startswith(("/", "~")) and ".." not in plain.split("/")


def fetch(request: dict[str, Any]) -> None:
    """Write one split to a Parquet file, batch by batch, up to the limits."""
    import datasets  # noqa: PLC0415
    import pyarrow.parquet as pq  # noqa: PLC0415

    datasets.config.STREAMING_READ_MAX_RETRIES = 3
    datasets.config.STREAMING_READ_RATE_LIMIT_RETRY_INTERVAL = 5
    builder = _builder(request["name"], request["config"], request["revision"], request["token"] or False)
    rows = size = 0
    cut, writer = False, None
    try:
        for table in builder.as_streaming_dataset(split=request["split"]).with_format("arrow").iter(batch_size=BATCH):
            room = request["most_rows"] - rows
            if room <= 0 or size >= request["most_bytes"]:
                cut = True
                break
            if table.num_rows > room:
                table, cut = table.slice(0, room), True
            writer = writer or pq.ParquetWriter(request["into"], table.schema.remove_metadata(), compression="zstd")
            writer.write_table(table.cast(writer.schema), row_group_size=BATCH)
            rows, size = rows + table.num_rows, size + table.nbytes
            say(rows=rows, size=size)
            if cut:
                break
    finally:
        if writer:
            writer.close()
    if not rows:
        raise Refused("empty")
    say(done=rows, cut=cut)


def _licence(value: Any) -> str:
    """The licence a card names; several are joined."""
    return ", ".join(map(str, value))[:100] if isinstance(value, list) else str(value or "")[:100]


def kind_in(error: BaseException, job: str) -> str:
    """What an error of a job means."""
    kind = kind_of(error, CAUSES)
    return "damaged" if kind == "ended" and job == "fetch" else kind  # Arrow says OSError of a bad file


if __name__ == "__main__":
    serve({"look": look, "fetch": fetch}, kind_in, memory=MEMORY, seconds=SECONDS)
