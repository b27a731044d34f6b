/*
 * Heartbeats: what a server sends, and has in no file, while there is nothing to send. They say up
 * to where the server has sent its file.
 *
 *	HEARTBEAT	file name; its position is the header's log_pos. MariaDB (sql/sql_repl.cc,
 *			send_heartbeat_event()) sends log_pos 0 beyond 4 GiB, and before the name
 *			the position as a u64. Other servers send it modulo 2^32.
 *	HEARTBEAT_V2	MySQL 8.0.26 and later, to who asked for it (libs/mysql/binlog/event/codecs/
 *			binary.cpp): fields of a type, a size and a value, up to a type of 0. Types,
 *			sizes and the position are integers of MySQL's protocol: 1 to 9 bytes.
 *
 * Owns: nothing. Threads: no shared state.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/name.h"
#include "binlog/event.h"
#include "binlog/flavour.h"

struct heartbeat {
	uint64_t position;
	bool is_modulo;			/* only the lower 32 bits of the position are known */
	char file[BINLOG_NAME_MAX + 1]; /* has passed name_check_binlog() */
};

bool heartbeat_is(uint8_t type);

/* Decode the @size bytes of a whole event of either type, @crc_size of them its CRC. */
int heartbeat_decode(const uint8_t *event, size_t size, size_t crc_size, enum flavour flavour,
		     struct heartbeat *ret_heartbeat, struct error *err) MUST_CHECK;
