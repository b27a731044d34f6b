/*
 * The name of a kernel image on the ESP, in which systemd-boot counts its tries (Automatic Boot
 * Assessment): vault_2+3.efi before the first, vault_2+2-1.efi during it, vault_2.efi once it has
 * been called good, vault_2+0-3.efi when it came up in none of three. FAT names have no case: one
 * that another tool wrote may come back as VAULT_1.EFI.
 *
 * Owns: nothing; every function is pure.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

#define ENTRY_NAME_SIZE 64
#define ENTRY_TRIES	3 /* of a version that was just installed */

struct entry {
	uint32_t version;
	bool counted;	     /* not called good yet */
	uint32_t left, done; /* tries, while it is counted */
};

/* False if it is no name of ours. */
bool entry_parse(const char *name, struct entry *ret_entry);
void entry_name(const struct entry *entry, char ret_name[static ENTRY_NAME_SIZE]);

/* All tries are used up: systemd-boot starts it only for want of another. */
bool entry_is_bad(const struct entry *entry);
