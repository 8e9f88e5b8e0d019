"""What is set up of a project, as the services that administer it tell: one server for them all.

Service Usage, Resource Manager, Artifact Registry, IAM and Compute Engine have their own hosts at
Google; their paths don't overlap.
"""

from typing import Any
from urllib.parse import unquote

from tests.cloud.servers.http_server import JsonService, Request, Route
from tests.cloud.servers.refusal import refuse

APIS = (
    *("aiplatform", "artifactregistry", "bigquery", "cloudbuild", "compute"),
    *("dataflow", "logging", "storage", "iam", "cloudresourcemanager"),
)
_NONE: frozenset[str] = frozenset()
_PAGE = 4


class Project(JsonService):
    """One project.

    Attributes:
        enabled: APIs that are on, by name.
        denied: permissions that the caller lacks.
        accounts: e-mails of the service accounts.
        images: image references, with their tag or digest.
        quotas: by metric, limit and usage in the region of the workers.
    """

    def __init__(self, project: str, number: str, region: str) -> None:
        base = f"/v1/projects/(?:{project}|{number})"
        accounts = rf"/v1/projects/(?:-|{project})/serviceAccounts/(?P<account>[^/:]+)"
        package = (
            r"/v1/projects/(?P<project>[^/]+)/locations/(?P<location>[^/]+)/repositories/"
            r"(?P<repository>[^/]+)/packages/(?P<package>[^/]+)/(?P<kind>tags|versions)/"
            r"(?P<version>[^/]+)"
        )
        compute = f"/compute/v1/projects/{project}/regions/(?P<region>[^/]+)"
        listed = frozenset({"filter", "pageSize", "pageToken"})
        super().__init__(
            [
                Route("GET", f"{base}/services", "ListServices", listed, self._services),
                Route("POST", f"{base}:testIamPermissions", "TestProject", _NONE, self._may),
                Route("POST", f"{accounts}:testIamPermissions", "TestAccount", _NONE, self._act_as),
                Route("GET", package, "GetVersion", _NONE, self._version),
                Route("GET", compute, "GetRegion", frozenset({"fields"}), self._region),
                Route("GET", "/v1/projects/.*", "OtherProject", listed, self._denied),
                Route("POST", "/v1/projects/.*", "OtherProject", _NONE, self._denied),
            ]
        )
        self._number, self._of_workers = number, region
        self.forget()

    def forget(self) -> None:
        """Be set up as docs/cloud.md says."""
        self.faults.clear()
        self.enabled = set(APIS)
        self.denied: set[str] = set()
        self.accounts = {"runner@shop-test.iam.gserviceaccount.com"}
        self.images = {"europe-docker.pkg.dev/shop-test/towerlab/towerlab:1"}
        self.quotas = {"CPUS": (72.0, 8.0), "IN_USE_ADDRESSES": (8.0, 0.0)}

    def _services(self, request: Request) -> dict[str, Any]:
        if request.query.get("filter", "") not in ("", "state:ENABLED", "state:DISABLED"):
            refuse("INVALID_ARGUMENT", f"Invalid filter {request.query['filter']!r}.")
        if request.query.get("filter") == "state:DISABLED":
            refuse("INVALID_ARGUMENT", "This server lists what is enabled.")
        start = int(request.query.get("pageToken", 0))
        names = sorted(self.enabled)
        services = [
            {
                "name": f"projects/{self._number}/services/{name}.googleapis.com",
                "config": {"name": f"{name}.googleapis.com"},
                "state": "ENABLED",
                "parent": f"projects/{self._number}",
            }
            for name in names[start : start + _PAGE]
        ]
        more = start + _PAGE < len(names)
        return {"services": services, **({"nextPageToken": str(start + _PAGE)} if more else {})}

    def _may(self, request: Request) -> dict[str, Any]:
        return self._granted(request)

    def _act_as(self, request: Request) -> dict[str, Any]:
        account = request.parts["account"].replace("%40", "@")
        if account not in self.accounts:
            refuse("NOT_FOUND", f"Unknown service account {account}")
        return self._granted(request)

    def _granted(self, request: Request) -> dict[str, Any]:
        """Answer which of some permissions the caller has; no key at all where there are none."""
        if unknown := request.body.keys() - {"permissions"}:
            refuse("INVALID_ARGUMENT", f"Unknown name {sorted(unknown)}.")
        asked = request.body.get("permissions", [])
        if bad := [p for p in asked if len(p.split(".")) != 3 or "*" in p]:
            refuse("INVALID_ARGUMENT", f"Permissions {bad} are not valid for this resource.")
        granted = [p for p in asked if p not in self.denied]
        return {"permissions": granted} if granted else {}

    def _version(self, request: Request) -> dict[str, Any]:
        parts = request.parts
        joint = ":" if parts["kind"] == "tags" else "@"
        host = f"{parts['location']}-docker.pkg.dev"
        image = f"{host}/{parts['project']}/{parts['repository']}/{unquote(parts['package'])}"
        if f"{image}{joint}{parts['version']}" not in self.images:
            refuse("NOT_FOUND", "Requested entity was not found.")
        return {"name": request.parts["version"]}

    def _region(self, request: Request) -> dict[str, Any]:
        if request.parts["region"] != self._of_workers:
            refuse("NOT_FOUND", f"The resource 'regions/{request.parts['region']}' was not found")
        quotas = [{"metric": m, "limit": n, "usage": u} for m, (n, u) in self.quotas.items()]
        return {"kind": "compute#region", "name": self._of_workers, "quotas": quotas}

    def _denied(self, request: Request) -> dict[str, Any]:
        refuse("PERMISSION_DENIED", "The caller does not have permission")
