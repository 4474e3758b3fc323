"""The JSON documents of CONTRACT as types, a module a command. Reports are turned into these; every drawing is made
from these. Their fields stand in the order of the JSON."""

from __future__ import annotations

from traceviz.documents.baseline import BaselineDocument
from traceviz.documents.diff import Change, Changes, DiffDocument, DiffEdge, DiffNode, DiffSide
from traceviz.documents.distribution import Distribution
from traceviz.documents.doctor import DoctorDocument, Finding
from traceviz.documents.errors import ErrorsDocument, FailingHop
from traceviz.documents.flame import FlameDocument, FlameFrame, FrameKind
from traceviz.documents.graph import Answers, Calls, Context, Edge, GraphDocument, Node, NodeKind
from traceviz.documents.head import Asked, Counts, Document, Head, SeenDocument, ServiceWindow, Window, WindowDocument
from traceviz.documents.hop import Concentration
from traceviz.documents.listing import Listing, ListingCounts, Operation, OperationsDocument, Service, ServicesDocument
from traceviz.documents.slow import PathShare, SlowDocument, SlowHop
from traceviz.documents.tree import TreeCall, TreeDocument, TreeSpan
from traceviz.documents.why import Cause, WhyDocument

#: What an analysing command delivers.
CountedDocument = GraphDocument | ErrorsDocument | SlowDocument | WhyDocument | DoctorDocument | DiffDocument

#: What can be rendered.
AnyDocument = CountedDocument | FlameDocument | TreeDocument | ServicesDocument | OperationsDocument

__all__ = [
    "Answers",
    "AnyDocument",
    "Asked",
    "BaselineDocument",
    "Calls",
    "Cause",
    "Change",
    "Changes",
    "Concentration",
    "Context",
    "CountedDocument",
    "Counts",
    "DiffDocument",
    "DiffEdge",
    "DiffNode",
    "DiffSide",
    "Distribution",
    "DoctorDocument",
    "Document",
    "Edge",
    "ErrorsDocument",
    "FailingHop",
    "Finding",
    "FlameDocument",
    "FlameFrame",
    "FrameKind",
    "GraphDocument",
    "Head",
    "Listing",
    "ListingCounts",
    "Node",
    "NodeKind",
    "Operation",
    "OperationsDocument",
    "PathShare",
    "SeenDocument",
    "Service",
    "ServiceWindow",
    "ServicesDocument",
    "SlowDocument",
    "SlowHop",
    "TreeCall",
    "TreeDocument",
    "TreeSpan",
    "WhyDocument",
    "Window",
    "WindowDocument",
]
