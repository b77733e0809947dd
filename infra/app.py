"""The CDK's app: what is deployed, stack by stack. `python -m infra.app` is what `cdk` runs."""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from aws_cdk import App, Environment, Tags, Validations
from cdk_nag import AwsSolutionsChecks

from infra.batch import BatchStack
from infra.capacity import CAPACITIES
from infra.database import DatabaseStack
from infra.environment import Resources
from infra.granting import BACKUPS
from infra.messaging import MessagingStack
from infra.network import NetworkStack
from infra.observability import ObservabilityStack
from infra.secrets import SecretsStack
from infra.serving import ServingStack
from infra.size import Deployment, read_deployment
from infra.speed import SpeedStack
from infra.storage import StorageStack
from infra.watching import watched_of
from lake.errors import FiblakeError
from lake.surroundings import read_cdk_defaults

if TYPE_CHECKING:
    from collections.abc import Mapping

    from aws_cdk.cx_api import CloudAssembly

_FOLDER: Final = Path(__file__).parent


@dataclass(frozen=True, slots=True)
class Stacks:
    """The stacks of a deployment, each made of those before it."""

    network: NetworkStack
    storage: StorageStack
    secrets: SecretsStack
    database: DatabaseStack
    messaging: MessagingStack
    batch: BatchStack
    speed: SpeedStack
    serving: ServingStack
    observability: ObservabilityStack


def new_app(outdir: Path | None = None, **said: str) -> App:
    """Return an app with the context that `cdk` would give it, held to the rules of cdk-nag.

    Args:
        outdir: Where templates go; none: where `cdk` says, or a new folder.
        said: More of the context, as `size="prod"`; what `cdk -c` says goes before it.
    """
    known: dict[str, Any] = json.loads((_FOLDER / "cdk.json").read_text("utf-8"))["context"]
    known |= json.loads((_FOLDER / "cdk.context.json").read_text("utf-8"))
    app = App(
        outdir=str(outdir) if outdir else None, context=known | said, analytics_reporting=False
    )
    # What it finds and nobody accepted ends the synthesis: nothing else is deployed.
    Validations.of(app).add_plugins(AwsSolutionsChecks(app))
    return app


def deployment_of(app: App) -> Deployment:
    """Return the deployment that an app's context tells of.

    Account and region that it does not tell are those of the credentials that `cdk` runs with.

    Raises:
        MisuseError: If something cannot be as it was said.
    """
    here = read_cdk_defaults()
    found: Mapping[str, Any] = app.node.get_all_context({})
    defaults = {"account": here.account, "region": here.region}
    return read_deployment(defaults | {name: value for name, value in found.items() if value})


def build(app: App, deployment: Deployment) -> Stacks:
    """Put all stacks of a deployment into an app."""
    _tag(app, project="fiblake", size=deployment.size.name)
    given, prefix = _given(deployment), deployment.prefix
    network = NetworkStack(app, f"{prefix}-network", **given)
    storage = StorageStack(app, f"{prefix}-storage", **given)
    secrets = SecretsStack(app, f"{prefix}-secrets", **given)
    stands: dict[str, Any] = {"network": network, "storage": storage, "secrets": secrets}
    database = DatabaseStack(app, f"{prefix}-database", **stands, **given)
    messaging = MessagingStack(app, f"{prefix}-messaging", **given)
    stands["database"] = database
    resources = _resources(deployment, messaging=messaging, **stands)
    batch = BatchStack(app, f"{prefix}-batch", resources=resources, **stands, **given)
    stands["messaging"] = messaging
    speed = SpeedStack(app, f"{prefix}-speed", resources=resources, **stands, **given)
    serving = ServingStack(
        app, f"{prefix}-serving", deployment=deployment, speed=speed, **stands, **given
    )
    capacity = CAPACITIES[deployment.size.name]
    watched = watched_of(
        storage=storage,
        database=database,
        messaging=messaging,
        batch=batch,
        speed=speed,
        serving=serving,
        nodes=capacity.redis_nodes,
    )
    observability = ObservabilityStack(
        app,
        f"{prefix}-observability",
        deployment=deployment,
        services=frozenset(capacity.services),
        resources=watched,
        key=messaging.key,
        **given,
    )
    return Stacks(
        network=network,
        storage=storage,
        secrets=secrets,
        database=database,
        messaging=messaging,
        batch=batch,
        speed=speed,
        serving=serving,
        observability=observability,
    )


def _tag(app: App, **tags: str) -> None:
    for name, value in tags.items():
        Tags.of(app).add(name, value)


def _given(deployment: Deployment) -> dict[str, Any]:
    """Return what every stack is given."""
    size = deployment.size
    return {
        "size": size,
        "env": Environment(account=deployment.account, region=deployment.region),
        "termination_protection": size.keeps_data,
    }


def _resources(
    deployment: Deployment,
    *,
    network: NetworkStack,
    storage: StorageStack,
    secrets: SecretsStack,
    database: DatabaseStack,
    messaging: MessagingStack,
) -> Resources:
    """Return what settings name of the stacks that all others stand on."""
    return Resources(
        region=deployment.region,
        lake=storage.lake,
        backups=f"s3://{storage.bucket.bucket_name}/{BACKUPS}",
        secret=secrets.settings.secret_arn,
        dynamodb_prefix=storage.dynamodb_prefix,
        database_url=database.url,
        database_secret=database.secret.secret_arn,
        alerts=messaging.alerts.topic_arn,
        news=messaging.news.topic_arn,
        proxies=network.vpc.vpc_cidr_block,
        events=storage.events.stream_name if storage.events else None,
        bars=storage.bars.stream_name if storage.bars else None,
    )


def synthesise(size: str, outdir: Path | None = None) -> CloudAssembly:
    """Return the templates of a size, for an account of no one: it asks no server."""
    app = new_app(outdir, size=size)
    build(app, read_deployment({"size": size}))
    return app.synth()


def main() -> None:
    """Synthesise what the context tells of."""
    app = new_app()
    try:
        build(app, deployment_of(app))
    except FiblakeError as error:
        sys.exit(str(error))
    app.synth()


if __name__ == "__main__":
    main()
