/*
 * The file id: which binlog file this is, whatever its name. SHA-256 over
 *
 *	the server's identity, 64 bytes, without the certificate's key and, for MySQL, server_id
 *	le32 length and bytes of: the file's name; its FORMAT_DESCRIPTION event with IN_USE cleared;
 *	its second event (GTID_LIST; START_ENCRYPTION, with its random nonce; PREVIOUS_GTIDS)
 *
 * What may change while the server stays the same is left out: certificates are renewed.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "pull/identity.h"

/* Room for GTID_LIST with 65,000 entries; a longer second event is refused. */
#define FILE_ID_EVENT_MAX (1u << 20)

/* @format_event is as the stream brings it, with IN_USE cleared. */
void file_id_compute(const struct identity *identity, const char *file, const uint8_t *format_event,
		     size_t format_size, const uint8_t *second_event, size_t second_size,
		     struct hash *ret_id);
