/*
 * The GUID partition table of a disk, as far as finding hash trees by their type needs it.
 *
 * The table is not trusted: a wrong one leads at worst to a partition whose bytes do not have the
 * signed root hash, which dm-verity then refuses.
 *
 * Owns: nothing; every function is pure.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

#define GPT_HEADER_SIZE	    512
#define GPT_ENTRY_SIZE	    128 /* the part that we look at */
#define GPT_GUID_SIZE	    16
#define GPT_ENTRY_COUNT_MAX 256

struct gpt {
	uint64_t entries_lba;
	uint32_t entry_count, entry_size; /* entry_size in bytes */
};

/* ERROR_DEFECT if it is no header or its numbers lie outside our limits. */
int gpt_decode(const uint8_t bytes[GPT_HEADER_SIZE], struct gpt *ret_table,
	       struct error *err) MUST_CHECK;

/* Where entry @index lies on the disk. */
int gpt_entry_offset(const struct gpt *table, uint32_t index, uint32_t sector_size,
		     uint64_t *ret_offset, struct error *err) MUST_CHECK;

/* @type in the order in which it is written as text. */
bool gpt_entry_has_type(const uint8_t entry[GPT_ENTRY_SIZE], const uint8_t type[GPT_GUID_SIZE]);

/* Where the partition lies on the disk. */
int gpt_entry_begin(const uint8_t entry[GPT_ENTRY_SIZE], uint32_t sector_size, uint64_t *ret_offset,
		    struct error *err) MUST_CHECK;
