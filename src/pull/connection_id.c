#include "pull/connection_id.h"

#include <stdio.h>

#include "base/hex.h"
#include "crypto/random.h"

#define UUID_SIZE 16

void connection_id_make(char text[static CONNECTION_ID_SIZE])
{
	uint8_t bytes[UUID_SIZE];
	char hex[HEX_SIZE(UUID_SIZE)];

	random_bytes(bytes, sizeof(bytes));
	bytes[6] = (uint8_t)((bytes[6] & 0x0f) | 0x40);
	bytes[8] = (uint8_t)((bytes[8] & 0x3f) | 0x80);
	hex_encode(bytes, sizeof(bytes), hex);
	snprintf(text, CONNECTION_ID_SIZE, "%.8s-%.4s-%.4s-%.4s-%.12s", hex, hex + 8, hex + 12,
		 hex + 16, hex + 20);
}
