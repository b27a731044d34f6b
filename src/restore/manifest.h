/*
 * What was restored, from what: the list of files with their hashes, the ranges that were read, and
 * the body that the HSM signs (protocol/manifest.h says how).
 *
 * The body is one canonical JSON object:
 *   schema 1 · type "binvault-restore" · archive, request, source · worm "required" | "advisory" ·
 *   created · files [{name, size, sha256}] · ranges [{file, leaf, segment, start, good_end, and if
 *   the server itself has events with a wrong CRC in it: crc_wrong_count, crc_wrong_position of the
 *   last}] · until {file, position, time}: the restore reaches to here; time "" if no transaction
 * is in it
 *
 * Owns: its lists. Threads: one.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "base/error.h"
#include "protocol/export_messages.h"
#include "restore/output.h"

struct manifest;

struct manifest_range {
	char binlog_file[BINLOG_NAME_MAX + 1];
	uint8_t segment_id[SEGMENT_ID_SIZE];
	uint64_t leaf_index;
	uint64_t start_position;
	uint64_t good_end;
	uint64_t crc_wrong_count; /* events that are as the server has them, with a wrong CRC */
	uint64_t crc_wrong_position;
};

struct manifest *manifest_new(void);
void manifest_free(struct manifest *manifest);
DEFINE_CLEANUP(manifest_free, struct manifest *);

void manifest_add_file(struct manifest *manifest, const struct output_file *file);
void manifest_add_range(struct manifest *manifest, const struct manifest_range *range);

size_t manifest_file_count(const struct manifest *manifest);
uint64_t manifest_byte_count(const struct manifest *manifest); /* of all files */

/* The body, allocated (free it); @result says until where. */
int manifest_body(const struct manifest *manifest, const struct export_begin *begin,
		  const struct export_result *result, uint64_t now_usec, char **ret_body,
		  size_t *ret_size, struct error *err) MUST_CHECK;

/* The text of SHA256SUMS, allocated. */
char *manifest_sums(const struct manifest *manifest);
