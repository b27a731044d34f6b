/* The end of a tar that somebody put where ours would be. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "keeper/export_tar.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t signature[SIGNATURE_SIZE_MAX];
	size_t body_size, signature_size;
	uint8_t *body = NULL;
	struct error err;
	int fd = memfd_create("tar", MFD_CLOEXEC);

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	if (export_tar_manifest(fd, "r1", &body, &body_size, signature, &signature_size, &err) ==
		    0 &&
	    (body_size == 0 || body_size >= size || signature_size == 0 ||
	     signature_size > SIGNATURE_SIZE_MAX))
		abort();
	free(body);
	close(fd);
	return 0;
}
