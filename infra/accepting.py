"""Findings of cdk-nag that are accepted, each with its reason beside what it is about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from aws_cdk import Acknowledgment, Validations

if TYPE_CHECKING:
    from constructs import IConstruct


def accept(construct: IConstruct, rule: str, reason: str) -> None:
    """Accept what a rule of cdk-nag finds of a construct and of all within it.

    Args:
        construct: What it is about: the smallest there is.
        rule: As `AwsSolutions-S1`, or one finding, as `AwsSolutions-IAM5[Resource::*]`.
        reason: Why it is right so.
    """
    Validations.of(construct).acknowledge(Acknowledgment(id=rule, reason=reason))
