"""Names for runs that nobody named: two words of sea and harbour, and a number."""

from __future__ import annotations

import secrets

ADJECTIVES = ["amber", "ample", "azure", "balmy", "blithe", "blue", "brave", "breezy", "bright", "brisk", "broad", "calm", "clear", "coral", "crisp", "deep", "distant", "drifting", "eager", "early", "easy", "even", "fair", "fleet", "floating", "fresh", "gentle", "gilded", "glad", "golden", "grand", "hardy", "hazy", "idle", "indigo", "ivory", "jade", "keen", "kind", "late", "lively", "lofty", "lucid", "lunar", "mellow", "merry", "mild", "misty", "morning", "nimble", "noble", "northern", "opal", "open", "pale", "patient", "pearly", "plain", "placid", "proud", "quick", "quiet", "rapid", "restful", "rippling", "rolling", "rosy", "royal", "sailing", "salty", "sandy", "scarlet", "serene", "shining", "silent", "silver", "sleek", "smooth", "snug", "soft", "solar", "southern", "spry", "starry", "steady", "still", "summer", "sunlit", "sunny", "swift", "teal", "tidal", "tranquil", "true", "twilight", "upbeat", "velvet", "verdant", "vivid", "warm", "western", "whispering", "wide", "windy", "winter", "wise"]

NOUNS = ["albatross", "anchor", "archipelago", "atoll", "barge", "bay", "beacon", "boathouse", "bollard", "bosun", "bow", "breakwater", "breeze", "brig", "buoy", "cabin", "canal", "canoe", "cape", "channel", "chart", "clipper", "coast", "compass", "coral", "cove", "current", "cutter", "dawn", "deck", "delta", "dinghy", "dock", "dolphin", "dune", "ebb", "estuary", "ferry", "fjord", "flotilla", "gale", "galleon", "gangway", "gull", "gulf", "halyard", "harbour", "haven", "headland", "helm", "heron", "horizon", "hull", "inlet", "island", "isle", "jetty", "kayak", "keel", "ketch", "lagoon", "lantern", "ledger", "lighthouse", "lock", "longboat", "mainsail", "marina", "mariner", "mast", "mooring", "nautilus", "ocean", "oar", "osprey", "otter", "outrigger", "paddle", "pelican", "pier", "pilot", "porpoise", "port", "puffin", "quay", "raft", "reef", "regatta", "rigging", "river", "rudder", "sail", "sandbar", "schooner", "seahorse", "seal", "shallows", "shell", "shoal", "shore", "skiff", "sloop", "sound", "spinnaker", "spray", "starfish", "strait", "surf", "swell", "tern", "tide", "tiller", "trawler", "tugboat", "voyage", "wake", "wave", "wharf", "whale", "wind", "yacht", "yawl"]


def new_name() -> str:
    """Return a name such as "calm-harbour-12"."""
    return f"{secrets.choice(ADJECTIVES)}-{secrets.choice(NOUNS)}-{secrets.randbelow(99) + 1}"
