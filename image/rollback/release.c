#include "rollback/release.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>

#include "base/cleanup.h"

/* "@word NUMBER\n" at *@text, which then points behind it. 0 if it is something else. */
static uint32_t parse_line(const char **text, const char *word)
{
	size_t length = strlen(word);
	uint32_t number = 0;
	const char *digit;

	if (strncmp(*text, word, length) != 0)
		return 0;
	digit = *text + length;
	if (*digit == '0')
		return 0;
	for (; *digit >= '0' && *digit <= '9' && number <= RELEASE_VERSION_MAX; digit++)
		number = number * 10 + (uint32_t)(*digit - '0');
	if (*digit != '\n' || number > RELEASE_VERSION_MAX)
		return 0;
	*text = digit + 1;
	return number;
}

int release_parse(const char *text, struct release *ret_release, struct error *err)
{
	struct release release;

	release.version = parse_line(&text, "version ");
	release.floor = parse_line(&text, "floor ");
	if (release.version == 0 || release.floor == 0 || *text)
		return error_set(err, ERROR_DEFECT, "this is no text of a version and a floor");
	if (release.floor > release.version)
		return error_set(err, ERROR_DEFECT, "version %u sets the floor %u above itself",
				 release.version, release.floor);
	*ret_release = release;
	return 0;
}

int release_read(const char *path, struct release *ret_release, struct error *err)
{
	CLEANUP(close_fdp)
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	char text[RELEASE_TEXT_SIZE];
	ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (length < 0)
		return error_set_errno(err, ERROR_FAILED, errno, "%s", path);
	text[length] = '\0';
	if (release_parse(text, ret_release, err) < 0)
		return error_prefix(err, "%s", path);
	return 0;
}
