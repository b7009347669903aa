"""A library of documents: a bucket of files, a store of vectors, and the events they know."""

from __future__ import annotations

import math
import re
import zlib
from pathlib import Path
from typing import Any

from unaiverse_lab.events import Event, Object, action

SIZE = 64


class AgentRequestsFolderConversion(Event):
    event_type = "agent_requests_folder_conversion"
    input_folder_path: str
    output_file_path: str


class FolderConversionCompleted(Event):
    event_type = "folder_conversion_completed"
    output_txt_path: str


class AgentGeneratesTextChunkCollection(Event):
    event_type = "agent_generates_text_chunk_collection"
    full_text_path: str
    collection_name: str
    num_tokens_chunk_size: int = 500
    metadata: dict[str, Any] = {}


class AgentGeneratesNerCollection(Event):
    event_type = "agent_generates_ner_collection"
    full_text_path: str
    collection_name: str
    metadata: dict[str, Any] = {}


class InProcess(Event):
    event_type = "vector_store_collection_creation_in_process"
    collection_name: str


class Created(Event):
    event_type = "vector_store_collection_created"
    collection_name: str
    has_been_created: bool


class AgentSendsQuery(Event):
    event_type = "agent_sends_query_to_retrieve_chunks"
    collection_name: str
    query: str
    num_chunks: int = 5


class SimilarChunks(Event):
    event_type = "vector_store_collection_similar_chunks"
    collection_name: str
    similar_chunks: list[str]


class Bucket(Object):
    """Files in one folder; nothing outside it."""

    storage_path = ""

    @action(on=AgentRequestsFolderConversion, description="Joins the .md files of a folder.")
    def convert(self, event: AgentRequestsFolderConversion) -> bool:
        root = Path(self.storage_path).resolve()
        source, target = (root / path for path in (event.input_folder_path, event.output_file_path))
        if not all(path.resolve().is_relative_to(root) for path in (source, target)):
            return self.refuse(event, "a path leads out of the storage")
        target.write_text("\n---\n".join(file.read_text() for file in sorted(source.glob("*.md"))))
        self.send_event(FolderConversionCompleted(target_id=event.sender_id, output_txt_path=event.output_file_path))
        return True


class Store(Object):
    """Collections of texts, found by the words they share with a query. It takes a slice of a collection a tick."""

    storage_path = ""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.collections: dict[str, list[str]] = {}
        self.waiting: list[str] = []

    def _work(self, event: Any, chunks: Any) -> bool:
        name = event.collection_name
        if name not in self.collections:
            self.collections[name] = []
            self.waiting = chunks((Path(self.storage_path) / event.full_text_path).read_text())
            self.send_event(InProcess(target_id=event.sender_id, collection_name=name))
        self.collections[name] += self.waiting[:2]
        del self.waiting[:2]
        if self.waiting:
            return False
        self.send_event(Created(target_id=event.sender_id, collection_name=name, has_been_created=True))
        return True

    @action(on=AgentGeneratesTextChunkCollection, description="Cuts a text into chunks.", timeout=60.0)
    def chunk(self, event: AgentGeneratesTextChunkCollection) -> bool:
        size = event.num_tokens_chunk_size

        def chunks(text: str) -> list[str]:
            words = text.split()
            return [" ".join(words[start : start + size]) for start in range(0, len(words), size)]

        return self._work(event, chunks)

    @action(on=AgentGeneratesNerCollection, description="Takes the definitions of a text.", timeout=60.0)
    def ner(self, event: AgentGeneratesNerCollection) -> bool:
        return self._work(event, lambda text: re.findall(r"^\w+: .+$", text, re.MULTILINE))

    @action(on=AgentSendsQuery, description="Finds the chunks nearest to a query.")
    def find(self, event: AgentSendsQuery) -> bool:
        chunks = self.collections.get(event.collection_name)
        if chunks is None:
            return self.refuse(event, f"there is no collection {event.collection_name!r}")
        query = vector(event.query)
        ranked = sorted(chunks, key=lambda chunk: -sum(a * b for a, b in zip(query, vector(chunk), strict=True)))
        found = ranked[: event.num_chunks]
        name = event.collection_name
        self.send_event(SimilarChunks(target_id=event.sender_id, collection_name=name, similar_chunks=found))
        return True


def vector(text: str) -> list[float]:
    """A bag of hashed words, of length 1."""
    found = [0.0] * SIZE
    for word in re.findall(r"\w+", text.lower()):
        found[zlib.crc32(word.encode()) % SIZE] += 1.0
    length = math.sqrt(sum(one * one for one in found)) or 1.0
    return [one / length for one in found]
