#include "pull/identity.h"

#include <assert.h>
#include <stdio.h>
#include <string.h>

#include "base/endian.h"
#include "base/hex.h"

struct identity_disk {
	uint8_t kind;
	uint8_t reserved_1[3];
	le32 server_id;
	uint8_t uuid[16];
	uint8_t spki[HASH_SIZE];
	uint8_t reserved_2[8];
};
static_assert(sizeof(struct identity_disk) == SEGMENT_IDENTITY_SIZE, "as in the header");

void identity_encode(const struct identity *identity,
		     uint8_t ret_bytes[static SEGMENT_IDENTITY_SIZE])
{
	struct identity_disk disk = {
		.kind = identity->flavour == FLAVOUR_MARIADB ? 'M' : 'Y',
		.server_id = le32_put(identity->server_id),
	};

	memcpy(disk.uuid, identity->uuid, sizeof(disk.uuid));
	memcpy(disk.spki, identity->spki.bytes, sizeof(disk.spki));
	memcpy(ret_bytes, &disk, sizeof(disk));
}

int identity_decode(const uint8_t bytes[static SEGMENT_IDENTITY_SIZE],
		    struct identity *ret_identity, struct error *err)
{
	struct identity_disk disk;

	memcpy(&disk, bytes, sizeof(disk));
	if (disk.kind != 'M' && disk.kind != 'Y')
		return error_set(err, ERROR_DEFECT, "a server identity of unknown kind %#04x",
				 disk.kind);
	ret_identity->flavour = disk.kind == 'M' ? FLAVOUR_MARIADB : FLAVOUR_MYSQL;
	ret_identity->server_id = le32_get(disk.server_id);
	memcpy(ret_identity->uuid, disk.uuid, sizeof(disk.uuid));
	memcpy(ret_identity->spki.bytes, disk.spki, sizeof(disk.spki));
	return 0;
}

bool identity_same(const struct identity *a, const struct identity *b)
{
	if (a->flavour != b->flavour)
		return false;
	if (a->flavour == FLAVOUR_MYSQL)
		return memcmp(a->uuid, b->uuid, sizeof(a->uuid)) == 0;
	return a->server_id == b->server_id;
}

void identity_describe(const struct identity *identity, char text[static IDENTITY_TEXT_SIZE])
{
	char uuid[HEX_UUID_SIZE];

	if (identity->flavour == FLAVOUR_MARIADB) {
		snprintf(text, IDENTITY_TEXT_SIZE, "MariaDB server id %u", identity->server_id);
		return;
	}
	hex_encode_uuid(identity->uuid, uuid);
	snprintf(text, IDENTITY_TEXT_SIZE, "MySQL server uuid %s, server id %u", uuid,
		 identity->server_id);
}
