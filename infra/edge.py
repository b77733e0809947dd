"""What stands before the balancer: CloudFront, and a firewall in front of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from aws_cdk import ArnFormat, Duration, Stack
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_cloudfront as cloudfront
from aws_cdk import aws_cloudfront_origins as origins
from aws_cdk import aws_wafv2 as wafv2
from constructs import Construct

from infra.accepting import accept
from infra.network import HTTP, HTTPS
from infra.retention import log_group

if TYPE_CHECKING:
    from aws_cdk import aws_elasticloadbalancingv2 as elbv2
    from aws_cdk import aws_logs as logs
    from aws_cdk import aws_secretsmanager as secretsmanager

    from infra.capacity import Capacity
    from infra.size import Deployment, Size
    from infra.storage import StorageStack

HEADER: Final = "X-Fiblake-Edge"
"""What CloudFront shows the balancer, so that it knows whom it talks to."""
COUNTED: Final = (
    "SizeRestrictions_BODY",  # 8 KiB; a backtest may send 1 MiB, which the app holds it to
    "SizeRestrictions_QUERYSTRING",  # 2 KiB; symbols and fields may be 16 KiB
    "GenericRFI_BODY",  # a webhook's destination is the URL of another's server
    "CrossSiteScripting_BODY",  # an alert's text is data, and no page of ours shows it as markup
    "NoUserAgent_HEADER",  # programs ask, too
)
"""Rules of AWS that would refuse what is right: what they match is counted alone."""
_GROUPS: Final = (
    "AWSManagedRulesCommonRuleSet",
    "AWSManagedRulesKnownBadInputsRuleSet",
    "AWSManagedRulesAmazonIpReputationList",
)
_SECRET_HEADERS: Final = ("authorization", "x-api-key", "apca-api-secret-key")
_SPAN_S: Final = 300


class Firewall(Construct):
    """AWS WAF: too many requests of one address, and what AWS knows as bad.

    Attributes:
        acl: For CloudFront.
    """

    def __init__(self, scope: Construct, name: str, *, size: Size, capacity: Capacity) -> None:
        super().__init__(scope, name)
        make = wafv2.CfnWebACL
        rules = [
            make.RuleProperty(
                name="per-address",
                priority=0,
                action=make.RuleActionProperty(block={}),
                statement=make.StatementProperty(
                    rate_based_statement=make.RateBasedStatementProperty(
                        aggregate_key_type="IP",
                        limit=capacity.waf_per_address,
                        evaluation_window_sec=_SPAN_S,
                    )
                ),
                visibility_config=_visible("per-address"),
            ),
            *(_managed(group, place) for place, group in enumerate(_GROUPS, start=1)),
        ]
        self.acl = make(
            self,
            "Acl",
            name=f"fiblake-{size.name}",
            description="Before the API of fiblake",
            scope="CLOUDFRONT",
            default_action=make.DefaultActionProperty(allow={}),
            rules=rules,
            visibility_config=_visible("all"),
        )
        self._log(size)

    def _log(self, size: Size) -> None:
        # AWS WAF writes to groups of this name alone.
        called = f"aws-waf-logs-fiblake-{size.name}"
        log = log_group(self, "Log", called=called, days=size.log_days)
        field = wafv2.CfnLoggingConfiguration.FieldToMatchProperty
        wafv2.CfnLoggingConfiguration(
            self,
            "Logging",
            resource_arn=self.acl.attr_arn,
            log_destination_configs=[_arn(self, log)],
            # Keys and tokens of clients are nobody's to read.
            redacted_fields=[
                *(field(single_header={"Name": name}) for name in _SECRET_HEADERS),
                field(query_string={}),
            ],
            logging_filter=_refused_alone(),
        )


def _managed(group: str, place: int) -> wafv2.CfnWebACL.RuleProperty:
    make = wafv2.CfnWebACL
    count = make.RuleActionProperty(count={})
    overrides = [
        make.RuleActionOverrideProperty(name=each, action_to_use=count) for each in COUNTED
    ]
    return make.RuleProperty(
        name=group,
        priority=place,
        override_action=make.OverrideActionProperty(none={}),
        statement=make.StatementProperty(
            managed_rule_group_statement=make.ManagedRuleGroupStatementProperty(
                vendor_name="AWS",
                name=group,
                rule_action_overrides=overrides if group == _GROUPS[0] else None,
            )
        ),
        visibility_config=_visible(group),
    )


def _visible(name: str) -> wafv2.CfnWebACL.VisibilityConfigProperty:
    return wafv2.CfnWebACL.VisibilityConfigProperty(
        cloud_watch_metrics_enabled=True, metric_name=name, sampled_requests_enabled=False
    )


def _refused_alone() -> dict[str, Any]:
    """Return the filter that keeps what was refused or counted, and none of the rest."""
    return {
        "DefaultBehavior": "DROP",
        "Filters": [
            {
                "Behavior": "KEEP",
                "Requirement": "MEETS_ANY",
                "Conditions": [
                    {"ActionCondition": {"Action": action}} for action in ("BLOCK", "COUNT")
                ],
            }
        ],
    }


def _arn(scope: Construct, log: logs.LogGroup) -> str:
    """Return the group's ARN as AWS WAF wants it, without the `:*` at its end."""
    return Stack.of(scope).format_arn(
        service="logs",
        resource="log-group",
        resource_name=log.log_group_name,
        arn_format=ArnFormat.COLON_RESOURCE_NAME,
    )


class Edge(Construct):
    """CloudFront: TLS, the page's files from near by, and everything else passed on.

    Attributes:
        distribution: At its own name, or at the deployment's domain.
    """

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        deployment: Deployment,
        balancer: elbv2.ApplicationLoadBalancer,
        shown: secretsmanager.Secret,
        firewall: Firewall,
        storage: StorageStack,
    ) -> None:
        super().__init__(scope, name)
        origin = _origin(deployment, balancer, shown)
        own = self._own(deployment)
        self.distribution = cloudfront.Distribution(
            self,
            "Distribution",
            comment=f"fiblake {deployment.size.name}",
            default_behavior=_passed_on(origin),
            additional_behaviors={"/web/*": _kept(origin)},
            http_version=cloudfront.HttpVersion.HTTP2_AND_3,
            price_class=cloudfront.PriceClass.PRICE_CLASS_100,
            web_acl_id=firewall.acl.attr_arn,
            enable_logging=True,
            log_bucket=storage.logs,
            log_file_prefix="cloudfront/",
            log_includes_cookies=False,
            **own,
        )
        accept(self.distribution, "AwsSolutions-CFR1", "Who has a key may ask from anywhere.")
        if not own:
            accept(
                self.distribution,
                "AwsSolutions-CFR4",
                "CloudFront's own name has its own policy of TLS; a domain has TLS 1.2 and newer.",
            )
            accept(
                self.distribution,
                "AwsSolutions-CFR5",
                "Without a domain the balancer has no certificate; CloudFront alone reaches it.",
            )

    def _own(self, deployment: Deployment) -> dict[str, Any]:
        """Return what a distribution at the deployment's own domain has besides."""
        if deployment.domain is None or deployment.certificate is None:
            return {}
        return {
            "domain_names": [deployment.domain],
            "certificate": acm.Certificate.from_certificate_arn(
                self, "Certificate", deployment.certificate
            ),
            "minimum_protocol_version": cloudfront.SecurityPolicyProtocol.TLS_V1_2_2021,
        }


def _origin(
    deployment: Deployment,
    balancer: elbv2.ApplicationLoadBalancer,
    shown: secretsmanager.Secret,
) -> origins.LoadBalancerV2Origin:
    secure = deployment.certificate is not None
    policy = cloudfront.OriginProtocolPolicy
    return origins.LoadBalancerV2Origin(
        balancer,
        protocol_policy=policy.HTTPS_ONLY if secure else policy.HTTP_ONLY,
        origin_ssl_protocols=[cloudfront.OriginSslPolicy.TLS_V1_2],
        https_port=HTTPS,
        http_port=HTTP,
        read_timeout=Duration.seconds(60),
        keepalive_timeout=Duration.seconds(60),
        # Resolved by CloudFormation when it deploys: the template names the secret alone.
        custom_headers={HEADER: shown.secret_value.unsafe_unwrap()},
    )


def _passed_on(origin: cloudfront.IOrigin) -> cloudfront.BehaviorOptions:
    """Return how the API is passed on: every method, header and query, WebSockets too."""
    policy = cloudfront.CachePolicy.CACHING_DISABLED
    return _behaviour(origin, cloudfront.AllowedMethods.ALLOW_ALL, policy)


def _kept(origin: cloudfront.IOrigin) -> cloudfront.BehaviorOptions:
    """Return how the page's files are passed on: they are the same for all, and kept."""
    policy = cloudfront.CachePolicy.CACHING_OPTIMIZED
    return _behaviour(origin, cloudfront.AllowedMethods.ALLOW_GET_HEAD, policy)


def _behaviour(
    origin: cloudfront.IOrigin,
    methods: cloudfront.AllowedMethods,
    policy: cloudfront.ICachePolicy,
) -> cloudfront.BehaviorOptions:
    return cloudfront.BehaviorOptions(
        origin=origin,
        allowed_methods=methods,
        cache_policy=policy,
        origin_request_policy=cloudfront.OriginRequestPolicy.ALL_VIEWER,
        viewer_protocol_policy=cloudfront.ViewerProtocolPolicy.REDIRECT_TO_HTTPS,
        compress=True,
    )
