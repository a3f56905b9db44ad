"""What can go wrong for a user, one class per exit status."""


class BakeError(Exception):
    """A mistake or failure that a user can act on; shown as `bake: error: where: what; remedy`.

    where: the file, key, image or tool concerned. what: one clause. remedy: what to do, or "".
    """

    status = 1

    def __init__(self, where: str, what: str, remedy: str = "") -> None:
        super().__init__(f"{where}: {what}" + (f"; {remedy}" if remedy else ""))
        self.where = where
        self.what = what
        self.remedy = remedy


class UsageError(BakeError):
    """The command line asks for something that does not exist or does not go together."""

    status = 2


class ConfigError(BakeError):
    """bake.toml is wrong; `complaints` holds every complaint, each already `where: what; remedy`."""

    status = 3

    def __init__(self, where: str, what: str, remedy: str = "", *, complaints: tuple[str, ...] = ()) -> None:
        super().__init__(where, what, remedy)
        self.complaints = complaints or (str(self),)


class WorkspaceError(BakeError):
    """The monorepo or its lockfile cannot be used as it is."""

    status = 3


class CheckError(BakeError):
    """A check found errors; they have been printed."""

    status = 1


class EngineError(BakeError):
    """Docker, buildx or the builder is missing, down or cannot do what is asked."""

    status = 4


class BuildError(BakeError):
    """An image could not be built."""

    status = 1


class RegistryError(BakeError):
    """A registry (container or npm) refused, or is out of reach."""

    status = 5


class ReleaseError(BakeError):
    """The manifest of a push cannot be used as it is."""

    status = 2
