"""Machines behind a service: what every adapter shares, so that it holds its own protocol and nothing else.

Needs httpx and msgspec, which the extra of each machine brings. Nothing here touches the network before a
request is sent.
"""

from rapid_ising.remote.backoff import Backoff as Backoff
from rapid_ising.remote.machine import CONTRACT_TESTED as CONTRACT_TESTED
from rapid_ising.remote.machine import RemoteMachine as RemoteMachine
from rapid_ising.remote.machine import RemoteSubmission as RemoteSubmission
from rapid_ising.remote.machine import Sent as Sent
from rapid_ising.remote.secret import Secret as Secret
from rapid_ising.remote.transport import EMULATOR as EMULATOR
from rapid_ising.remote.transport import Reply as Reply
from rapid_ising.remote.transport import Transport as Transport
from rapid_ising.remote.wire import broken as broken
from rapid_ising.remote.wire import check_energies as check_energies
from rapid_ising.remote.wire import decoded as decoded
from rapid_ising.remote.wire import encoded as encoded
from rapid_ising.remote.wire import rows_of_spins as rows_of_spins
