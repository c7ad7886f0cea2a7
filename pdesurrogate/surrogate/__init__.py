"""Surrogates: trained networks with everything that is needed to use them on labelled fields."""

from __future__ import annotations

from pdesurrogate.surrogate.carried_frame import CarriedFrame, shares_of
from pdesurrogate.surrogate.detail_transport import DetailTransport, TransportOptions
from pdesurrogate.surrogate.extension import (
    EXTENSION,
    Extension,
    ExtensionModule,
    extension_directory,
    load_extension,
)
from pdesurrogate.surrogate.files import read_info
from pdesurrogate.surrogate.info import SurrogateInfo
from pdesurrogate.surrogate.surrogate import Surrogate

__all__ = [
    "EXTENSION",
    "CarriedFrame",
    "DetailTransport",
    "Extension",
    "ExtensionModule",
    "Surrogate",
    "SurrogateInfo",
    "TransportOptions",
    "extension_directory",
    "load_extension",
    "read_info",
    "shares_of",
]
