#include "updater/entry.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "rollback/release.h"

#define PREFIX "vault_"
#define SUFFIX ".efi"

/* A number at *@text without leading zeros, which then points behind it. */
static bool parse_number(const char **text, uint32_t *ret_number)
{
	const char *digit = *text;
	uint32_t number = 0;

	if (*digit == '0' && digit[1] >= '0' && digit[1] <= '9')
		return false;
	for (; *digit >= '0' && *digit <= '9' && number <= RELEASE_VERSION_MAX; digit++)
		number = number * 10 + (uint32_t)(*digit - '0');
	if (digit == *text || number > RELEASE_VERSION_MAX)
		return false;
	*ret_number = number;
	*text = digit;
	return true;
}

bool entry_parse(const char *name, struct entry *ret_entry)
{
	struct entry entry = {0};

	if (strncasecmp(name, PREFIX, strlen(PREFIX)) != 0)
		return false;
	name += strlen(PREFIX);
	if (!parse_number(&name, &entry.version) || entry.version == 0)
		return false;
	if (*name == '+') {
		entry.counted = true;
		name++;
		if (!parse_number(&name, &entry.left))
			return false;
		if (*name == '-') {
			name++;
			if (!parse_number(&name, &entry.done))
				return false;
		}
	}
	if (strcasecmp(name, SUFFIX) != 0)
		return false;
	*ret_entry = entry;
	return true;
}

void entry_name(const struct entry *entry, char ret_name[static ENTRY_NAME_SIZE])
{
	if (!entry->counted)
		snprintf(ret_name, ENTRY_NAME_SIZE, PREFIX "%u" SUFFIX, entry->version);
	else if (entry->done == 0)
		snprintf(ret_name, ENTRY_NAME_SIZE, PREFIX "%u+%u" SUFFIX, entry->version,
			 entry->left);
	else
		snprintf(ret_name, ENTRY_NAME_SIZE, PREFIX "%u+%u-%u" SUFFIX, entry->version,
			 entry->left, entry->done);
}

bool entry_is_bad(const struct entry *entry)
{
	return entry->counted && entry->left == 0;
}
