"""Registries of images and of npm packages, over HTTP."""

from bake.registry.base import BaseTraits, read_sizes, read_traits
from bake.registry.copier import Copier
from bake.registry.http import Response, UnreachableError
from bake.registry.npm import Advisory, NpmRegistry, load_npm_settings
from bake.registry.oci import (
    INDEX_TYPES,
    DeniedError,
    Manifest,
    NotFoundError,
    QuotaError,
    Registry,
    UnauthorizedError,
    ask_in_turn,
    engine_digests,
    load_registries,
    load_registry,
    load_resolver,
    platform_name,
    refusal,
)

__all__ = [
    "Advisory",
    "Copier",
    "BaseTraits",
    "DeniedError",
    "INDEX_TYPES",
    "Manifest",
    "NotFoundError",
    "NpmRegistry",
    "QuotaError",
    "Registry",
    "Response",
    "UnauthorizedError",
    "UnreachableError",
    "ask_in_turn",
    "engine_digests",
    "load_npm_settings",
    "load_registries",
    "load_registry",
    "load_resolver",
    "platform_name",
    "read_sizes",
    "read_traits",
    "refusal",
]
