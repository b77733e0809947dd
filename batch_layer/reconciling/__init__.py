"""Reconciling: what the speed layer told of a session, held to what batch made of it."""

from batch_layer.reconciling.reconcile import Reconciled, ReconcileReport, reconcile

__all__ = ["ReconcileReport", "Reconciled", "reconcile"]
