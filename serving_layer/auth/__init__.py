"""Who asks, what they may do, and how often.

`Access` is made once a process; `require("read")` guards routes; whoever holds a connection open
asks `Access.authenticate` itself.
"""

from serving_layer.auth.access import Access
from serving_layer.auth.principal import SCOPES, Principal, Scope
from serving_layer.auth.require import access_of, address_of, require, token_of

__all__ = [
    "SCOPES",
    "Access",
    "Principal",
    "Scope",
    "access_of",
    "address_of",
    "require",
    "token_of",
]
