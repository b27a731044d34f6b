/*
 * Global transaction ids: the events that carry them, and the opaque form that the archive keeps.
 *
 * A GTID is a group and a sequence number in it. The archive compares groups byte by byte and
 * unites ranges of sequences; only this file knows what the bytes of a group mean:
 *
 *	MariaDB   'M', domain (le32), server id (le32)		9 bytes	 "0-11-884213"
 *	MySQL	  'Y', UUID of the server (16 bytes)		17 bytes "uuid:884213"
 *	tagged	  the same, and the tag (1 to 32 characters)	18 to 49 "uuid:tag:884213"
 *
 * gtid_text.h writes and reads the texts, previous_gtids.h reads the sets that files begin with.
 *
 * Owns: nothing; plain values. A struct gtid_list borrows the event's bytes.
 * Threads: no shared state.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "binlog/event.h"
#include "binlog/flavour.h"

#define GTID_GROUP_SIZE	 64
#define GTID_UUID_SIZE	 16
#define GTID_TAG_MAX	 32
#define GTID_MYSQL_FIRST 1
#define GTID_MYSQL_LAST	 (INT64_MAX - 1) /* sql/rpl_gtid.h, GNO_END */

struct gtid_group {
	uint8_t bytes[GTID_GROUP_SIZE];
	uint8_t size; /* 1 to GTID_GROUP_SIZE */
};

struct gtid {
	struct gtid_group group;
	uint64_t sequence;
};

/* Sequences of one group, both ends inclusive. */
struct gtid_interval {
	struct gtid_group group;
	uint64_t first, last;
};

/* flags2 of MariaDB's GTID event (sql/log_event.h, Gtid_log_event). */
#define GTID_FLAG_STANDALONE	  0x01 /* no COMMIT at the end: one statement */
#define GTID_FLAG_GROUP_COMMIT_ID 0x02
#define GTID_FLAG_TRANSACTIONAL	  0x04
#define GTID_FLAG_DDL		  0x20
#define GTID_FLAG_PREPARED_XA	  0x40
#define GTID_FLAG_COMPLETED_XA	  0x80

struct gtid_event {
	struct gtid gtid; /* if is_known */
	bool is_known;	  /* false: ANONYMOUS_GTID */
	uint8_t flags;	  /* GTID_FLAG_*, MariaDB only; else 0 */
};

/* Is it one of the events that begin a transaction with a GTID (33, 34, 42, 162)? */
bool gtid_event_is(uint8_t type);

/* Decode such an event from its first @size bytes; GTID_TAGGED needs all but its CRC. */
int gtid_event_decode(const struct event_header *header, const uint8_t *event, size_t size,
		      struct gtid_event *ret_event, struct error *err) MUST_CHECK;

/* MariaDB's GTID_LIST, the replication state at the start of a file. */
struct gtid_list {
	const uint8_t *entries; /* in the caller's event */
	uint32_t count;
	uint8_t flags; /* the upper 4 bits of the count's field */
};

/* Decode the @size bytes of a whole event, @crc_size of them its CRC. */
int gtid_list_decode(const uint8_t *event, size_t size, size_t crc_size, struct gtid_list *ret_list,
		     struct error *err) MUST_CHECK;
void gtid_list_entry(const struct gtid_list *list, uint32_t index, struct gtid *ret_gtid);

/* What a group means. */
struct gtid_group_parts {
	enum flavour flavour;
	uint32_t domain, server_id;   /* MariaDB */
	uint8_t uuid[GTID_UUID_SIZE]; /* MySQL */
	char tag[GTID_TAG_MAX + 1];   /* MySQL; "" if there is none */
};

void gtid_group_mariadb(struct gtid_group *ret_group, uint32_t domain, uint32_t server_id);
void gtid_group_mysql(struct gtid_group *ret_group, const uint8_t uuid[GTID_UUID_SIZE]);

/* With a tag of @tag_size bytes, [a-z_][a-z0-9_]*; 0 for none. ERROR_DEFECT for another one. */
int gtid_group_tagged(struct gtid_group *ret_group, const uint8_t uuid[GTID_UUID_SIZE],
		      const uint8_t *tag, size_t tag_size, struct error *err) MUST_CHECK;

/* The group may come from disk: ERROR_DEFECT if it is none of the forms above. */
int gtid_group_read(const struct gtid_group *group, struct gtid_group_parts *ret_parts,
		    struct error *err) MUST_CHECK;
/* Are both of MariaDB, and of one domain? Their sequence is one. */
bool gtid_group_same_domain(const struct gtid_group *a, const struct gtid_group *b);
bool gtid_group_equal(const struct gtid_group *a, const struct gtid_group *b);
