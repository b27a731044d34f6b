#include "pull/connection_id.h"

#include <assert.h>

#include "base/hex.h"
#include "crypto/random.h"

#define UUID_SIZE 16

static_assert(CONNECTION_ID_SIZE == HEX_UUID_SIZE, "a connection's id is a UUID");

void connection_id_make(char text[static CONNECTION_ID_SIZE])
{
	uint8_t bytes[UUID_SIZE];

	random_bytes(bytes, sizeof(bytes));
	bytes[6] = (uint8_t)((bytes[6] & 0x0f) | 0x40);
	bytes[8] = (uint8_t)((bytes[8] & 0x3f) | 0x80);
	hex_encode_uuid(bytes, text);
}
