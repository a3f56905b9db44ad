"""A bill of materials as CycloneDX 1.6 and SPDX 2.3, the same text for the same contents. Pure.

Sources: cyclonedx.org/docs/1.6/json, spdx.github.io/spdx-spec/v2.3, github.com/package-url/purl-spec (npm). The
libraries that write and check them take half a second to import, so they are imported where they are used.
"""

import datetime
import re
import uuid
from typing import TYPE_CHECKING, Any

from bake.components.components import Component, ImageContents
from bake.errors import UsageError

if TYPE_CHECKING:
    from cyclonedx.model import component as cyclonedx
    from packageurl import PackageURL
    from spdx_tools.spdx.model.package import Package

_NAMESPACE = uuid.UUID("8f0f1a52-1df5-5c0e-9c55-6a0f0c8b2d11")
_EPOCH = datetime.datetime(1970, 1, 1, tzinfo=datetime.UTC)
"""Nobody needs to know when a list was written whose contents say all."""

_MISSING = "install bake with its extra `sbom`: the libraries that write SBOMs come with it"


def to_cyclonedx(contents: ImageContents) -> str:
    """CycloneDX JSON. Raises UsageError where bake was installed without its extra `sbom`."""
    try:
        from cyclonedx.model.bom import Bom
        from cyclonedx.output import make_outputter
        from cyclonedx.schema import OutputFormat, SchemaVersion
    except ImportError:
        raise UsageError("bake sbom", "the library cyclonedx-python-lib is not there", _MISSING) from None
    bom = Bom(serial_number=uuid.uuid5(_NAMESPACE, contents.key))
    bom.metadata.timestamp = _EPOCH
    bom.metadata.component = _root(contents)
    parts = {c.path: _cyclonedx(c) for c in contents.components}
    bom.components.update(parts.values())
    bom.register_dependency(bom.metadata.component, list(parts.values()))
    return make_outputter(bom, OutputFormat.JSON, SchemaVersion.V1_6).output_as_string(indent=2) + "\n"


def _root(contents: ImageContents) -> "cyclonedx.Component":
    from cyclonedx.model import Property
    from cyclonedx.model.component import Component as Part
    from cyclonedx.model.component import ComponentType

    said = {"bake:platform": contents.platform, "bake:base": contents.base, "bake:base-packages": "not listed"}
    return Part(
        type=ComponentType.CONTAINER,
        name=f"{contents.project}-{contents.target}",
        bom_ref="image",
        properties=[Property(name=name, value=value) for name, value in said.items()],
    )


def _cyclonedx(component: Component) -> "cyclonedx.Component":
    from cyclonedx.contrib.license.factories import LicenseFactory
    from cyclonedx.model import HashAlgorithm, HashType, Property
    from cyclonedx.model.component import Component as Part
    from cyclonedx.model.component import ComponentType

    algorithms = {"sha1": "SHA-1", "sha256": "SHA-256", "sha384": "SHA-384", "sha512": "SHA-512"}
    said = {"bake:path": component.path, "bake:layer": component.layer, "bake:because": " > ".join(component.chain)}
    return Part(
        type=ComponentType.APPLICATION if component.own else ComponentType.LIBRARY,
        name=component.name,
        version=component.version or None,
        bom_ref=component.path or ".",
        purl=_purl(component),
        hashes=[HashType(alg=HashAlgorithm(algorithms[a]), content=v) for a, v in component.hashes.items()],
        licenses=[LicenseFactory().make_from_string(component.license)] if component.license else [],
        properties=[Property(name=name, value=value) for name, value in said.items() if value],
    )


def _purl(component: Component) -> "PackageURL | None":
    """The package's name in the world; one of the workspace has none, and a stranger's may have the same name."""
    from packageurl import PackageURL

    if component.own:
        return None
    scope, _, name = component.name.rpartition("/")
    elsewhere = re.match(r"git|https?:(?!.*\.tgz$)", component.resolved)
    qualifiers = {"vcs_url": component.resolved} if elsewhere else None
    return PackageURL("npm", scope or None, name, component.version or None, qualifiers)


def to_spdx(contents: ImageContents) -> str:
    """SPDX JSON. Raises UsageError where bake was installed without its extra `sbom`."""
    try:
        import json

        from spdx_tools.spdx.jsonschema.document_converter import DocumentConverter
        from spdx_tools.spdx.model.actor import Actor, ActorType
        from spdx_tools.spdx.model.document import CreationInfo, Document
        from spdx_tools.spdx.model.relationship import Relationship, RelationshipType
    except ImportError:
        raise UsageError("bake sbom", "the library spdx-tools is not there", _MISSING) from None
    name = f"{contents.project}-{contents.target}"
    creation = CreationInfo(
        spdx_version="SPDX-2.3",
        spdx_id="SPDXRef-DOCUMENT",
        name=name,
        document_namespace=f"https://spdx.org/spdxdocs/{name}-{uuid.uuid5(_NAMESPACE, contents.key)}",
        creators=[Actor(ActorType.TOOL, "bake")],
        created=_EPOCH.replace(tzinfo=None),
    )
    image = _spdx_package("SPDXRef-image", name, "", None)
    parts = [_spdx(index, component) for index, component in enumerate(contents.components, 1)]
    relations = [Relationship("SPDXRef-DOCUMENT", RelationshipType.DESCRIBES, "SPDXRef-image")]
    relations += [Relationship("SPDXRef-image", RelationshipType.CONTAINS, part.spdx_id) for part in parts]
    document = Document(creation_info=creation, packages=[image, *parts], relationships=relations)
    converted: dict[str, Any] = DocumentConverter().convert(document)  # type: ignore[no-untyped-call]
    return json.dumps(converted, indent=2) + "\n"


def _spdx(index: int, component: Component) -> "Package":
    from spdx_tools.spdx.model.checksum import Checksum, ChecksumAlgorithm
    from spdx_tools.spdx.model.package import ExternalPackageRef, ExternalPackageRefCategory

    package = _spdx_package(f"SPDXRef-{index}", component.name, component.version, component.license or None)
    package.checksums = [Checksum(ChecksumAlgorithm[a.upper()], v) for a, v in component.hashes.items()]
    package.comment = " > ".join(component.chain) or None
    if purl := _purl(component):
        reference = ExternalPackageRef(ExternalPackageRefCategory.PACKAGE_MANAGER, "purl", purl.to_string())
        package.external_references = [reference]
    return package


def _spdx_package(identifier: str, name: str, version: str, license_: str | None) -> "Package":
    from license_expression import ExpressionError, get_spdx_licensing
    from spdx_tools.spdx.model.package import Package
    from spdx_tools.spdx.model.spdx_no_assertion import SpdxNoAssertion

    declared: Any = SpdxNoAssertion()
    if license_:
        licensing = get_spdx_licensing()
        try:
            declared = licensing.parse(license_, validate=True)
        except ExpressionError:
            declared = SpdxNoAssertion()
    return Package(
        spdx_id=identifier,
        name=name,
        version=version or None,
        download_location=SpdxNoAssertion(),
        files_analyzed=False,
        license_declared=declared,
        license_concluded=SpdxNoAssertion(),
        copyright_text=SpdxNoAssertion(),
    )
