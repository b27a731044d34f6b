#include "initrd/command_line.h"

#include <string.h>

#include "base/hex.h"

#define ROOT_HASH_WORD "roothash="

int command_line_compare(const char *running, const char *signed_line, struct error *err)
{
	size_t running_length = strcspn(running, "\n");
	size_t signed_length = strcspn(signed_line, "\n");

	if (signed_length == 0)
		return error_set(err, ERROR_DEFECT, "the signed image holds no command line");
	if (running_length != signed_length || memcmp(running, signed_line, signed_length) != 0)
		return error_set(err, ERROR_REFUSED,
				 "the kernel command line is not the signed one; look for what the "
				 "firmware or the virtual machine adds to it");
	return 0;
}

int command_line_root_hash(const char *line, uint8_t ret_hash[ROOT_HASH_SIZE], struct error *err)
{
	const char *value = NULL;
	char digits[HEX_SIZE(ROOT_HASH_SIZE)];
	size_t length = 0;

	for (const char *word = line + strspn(line, " \n"); *word; word += strspn(word, " \n")) {
		size_t word_length = strcspn(word, " \n");

		if (strncmp(word, ROOT_HASH_WORD, strlen(ROOT_HASH_WORD)) == 0) {
			if (value)
				return error_set(err, ERROR_REFUSED,
						 "the command line names two root hashes");
			value = word + strlen(ROOT_HASH_WORD);
			length = word_length - strlen(ROOT_HASH_WORD);
		}
		word += word_length;
	}
	if (!value)
		return error_set(err, ERROR_REFUSED, "the command line names no root hash");
	if (length != sizeof(digits) - 1)
		return error_set(err, ERROR_REFUSED, "the root hash has %zu digits, not %zu",
				 length, sizeof(digits) - 1);
	memcpy(digits, value, length);
	digits[length] = '\0';
	return hex_decode(digits, ret_hash, ROOT_HASH_SIZE, err);
}
