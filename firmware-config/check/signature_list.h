/*
 * EFI signature lists (UEFI 2.10, 32.4.1): what PK, KEK, db and dbx hold. Pure parsing of bytes
 * that firmware or an attacker wrote; nothing here verifies anything.
 *
 *     list: type GUID (16) | list size (u32) | header size (u32) | signature size (u32) | header |
 *           signatures, each: owner GUID (16) | data (signature size - 16)
 *
 * Owns: nothing; entries point into the caller's bytes. Threads: any.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

#define GUID_SIZE      16
#define GUID_TEXT_SIZE sizeof("8be4df61-93ca-11d2-aa0d-00e098032b8c")

/* A variable of firmware is 32 to 64 KiB; dbx as shipped holds about 500 hashes. */
#define SIGNATURE_COUNT_MAX 65536

enum signature_kind {
	SIGNATURE_X509,	  /* a DER certificate */
	SIGNATURE_SHA256, /* the Authenticode hash of an image, 32 bytes */
	SIGNATURE_OTHER,  /* a type that a vault has no use for */
};

struct signature {
	enum signature_kind kind;
	const uint8_t *owner; /* GUID_SIZE bytes, as they lie there */
	const uint8_t *data;
	size_t size; /* bytes at @data */
	size_t list_offset;
};

/* Called for each signature in turn; what it returns below 0 ends the walk and is returned. */
typedef int (*signature_visitor)(void *context, const struct signature *signature,
				 struct error *err);

/*
 * Walk all lists in @bytes, which they must fill exactly; no bytes at all is an empty variable.
 * ERROR_DEFECT, naming the offset, for anything that is not well formed.
 */
int signature_list_walk(const uint8_t *bytes, size_t size, signature_visitor visit, void *context,
			struct error *err) MUST_CHECK;

/* GUIDs as people write them; the first three fields are little-endian in the bytes. */
void guid_format(const uint8_t bytes[GUID_SIZE], char text[GUID_TEXT_SIZE]);
int guid_parse(const char *text, uint8_t ret_bytes[GUID_SIZE], struct error *err) MUST_CHECK;
