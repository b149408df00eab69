"""Permissions."""

from enum import IntFlag


class AccessAttr(IntFlag):
    """What a role allows, as bits; the same numbers as the server's."""

    GET = 1 << 0
    OBJ_HEAD = 1 << 1
    PUT = 1 << 2
    APPEND = 1 << 3
    OBJ_DELETE = 1 << 4
    OBJ_MOVE = 1 << 5
    PROMOTE = 1 << 6
    OBJ_UPDATE = 1 << 7
    BCK_HEAD = 1 << 8
    OBJ_LIST = 1 << 9
    PATCH = 1 << 10
    BCK_SET_ACL = 1 << 11
    LIST_BUCKETS = 1 << 12
    SHOW_CLUSTER = 1 << 13
    CREATE_BUCKET = 1 << 14
    DESTROY_BUCKET = 1 << 15
    MOVE_BUCKET = 1 << 16
    ADMIN = 1 << 17

    # Promotion reads files of the server's own, so it is not part of writing.
    ACCESS_RO = GET | OBJ_HEAD | BCK_HEAD | OBJ_LIST
    ACCESS_RW = ACCESS_RO | PUT | APPEND | OBJ_DELETE | OBJ_MOVE
    CLUSTER_ACCESS_RO = LIST_BUCKETS | SHOW_CLUSTER
    CLUSTER_ACCESS_RW = CLUSTER_ACCESS_RO | CREATE_BUCKET | DESTROY_BUCKET | MOVE_BUCKET
    ACCESS_BUCKET_ADMIN = PATCH | BCK_SET_ACL | OBJ_UPDATE
    ACCESS_SU = ACCESS_RW | PROMOTE | ACCESS_BUCKET_ADMIN | CLUSTER_ACCESS_RW | ADMIN

    @staticmethod
    def describe(perms: int) -> str:
        """The names of the bits that are set, separated by commas."""
        return ",".join(str(attr.name) for attr in AccessAttr if perms & attr.value)


def joined(perms: "list[AccessAttr]") -> str:
    """Permissions as messages have them: one number, as decimal text. A bit that is named twice counts once."""
    total = 0
    for perm in perms:
        total |= int(perm)
    return str(total)
