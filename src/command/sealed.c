#include "command/sealed.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>

#include "base/json.h"
#include "base/secret.h"
#include "io/file.h"

void sealed_prepare(void)
{
	json_wipe_freed();
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

int sealed_read_file(const char *path, size_t size_max, uint8_t **ret_bytes, size_t *ret_size,
		     struct error *err)
{
	CLEANUP(close_fdp)
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
	struct stat status;
	uint8_t *bytes;
	ssize_t size;

	if (fd < 0 || fstat(fd, &status) < 0)
		return error_set_errno(err, ERROR_USAGE, errno, "'%s'", path);
	if (!S_ISREG(status.st_mode))
		return error_set(err, ERROR_USAGE, "'%s' is not a regular file", path);
	bytes = malloc(size_max + 1);
	ASSERT(bytes);
	size = file_read(fd, bytes, size_max + 1, 0, err);
	if (size < 0) {
		free(bytes);
		return error_prefix(err, "'%s'", path);
	}
	*ret_bytes = bytes;
	*ret_size = (size_t)size;
	return 0;
}

static int open_content(struct sealed *sealed, const uint8_t *message, size_t size,
			const struct cms_opener *opener, struct error *err)
{
	uint8_t *content;
	size_t content_size;
	int r = cms_open(opener, message, size, &content, &content_size, err);

	if (r < 0)
		return r;
	r = bundle_decode((const char *)content, content_size, &sealed->bundle, err);
	secret_wipe(content, content_size);
	free(content);
	return r < 0 ? r : bundle_config(&sealed->bundle, &sealed->config, err);
}

int sealed_read(struct sealed *sealed, const char *path, const struct cms_opener *opener,
		bool has_key, struct error *err)
{
	CLEANUP(freep)
	uint8_t *message = NULL;
	size_t size;
	int r = sealed_read_file(path, CMS_SIZE_MAX, &message, &size, err);

	if (r < 0)
		return r;
	sealed->hashed = size <= CMS_SIZE_MAX;
	if (!sealed->hashed)
		return error_set(err, ERROR_REFUSED, "it has more than %u bytes", CMS_SIZE_MAX);
	hash_bytes(message, size, &sealed->hash);
	r = has_key ? open_content(sealed, message, size, opener, err)
		    : cms_check(opener, message, size, err);
	return r < 0 ? err->code = ERROR_REFUSED : 0;
}

void sealed_release(struct sealed *sealed)
{
	config_free(sealed->config);
	sealed->config = NULL;
	bundle_release(&sealed->bundle);
}
