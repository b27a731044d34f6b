/*
 * What binvault-update reads of a foreign disk, each decoder on the same bytes: the tar archive as
 * far as its manifest, the manifest behind its signature, the kernel image, a list of keys, a name.
 */
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "updater/entry.h"
#include "updater/portable_executable.h"
#include "updater/update.h"

#define KEY                                                                                        \
	"MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE8CkKUniQ6mTuW2JTrdWLUwX2KEf3Ed+mVEEabSNXivTsKKAo9fxz" \
	"nuXoYNfrjW9oiqWfwpz1FQv4FRo1tamcxw=="

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t golden[1024]; /* no kernel image: the message is judged before it */

static void fuzz_update(const uint8_t *data, size_t size)
{
	static const char list[] = "{\"keys\":[\"" KEY "\"],\"threshold\":\"1\"}";
	static struct release_keys *keys; /* parsed once: it takes longer than all the rest */
	CLEANUP(update_freep)
	struct update *update = NULL;
	struct manifest manifest;
	struct error err;

	if (!keys)
		ASSERT(release_keys_parse(list, strlen(list), &keys, &err) == 0);
	if (update_open_memory(data, size, &update, &err) == 0)
		ASSERT(update_read_manifest(update, keys, &manifest, &err) < 0);
}

/* The members behind a manifest that is in order. */
static void fuzz_members(const uint8_t *data, size_t size)
{
	const struct manifest manifest = {.version = 2, .files = {{.size = 2048}}};
	CLEANUP(update_freep)
	struct update *update = NULL;
	static struct secure_boot *secure_boot;
	const uint8_t *image;
	struct error err;
	size_t image_size;

	if (!secure_boot)
		ASSERT(secure_boot_read("tests/golden/updater/db.crt", &secure_boot, &err) == 0);

	if (update_open_memory(data, size, &update, &err) == 0)
		(void)!update_read_kernel(update, &manifest, secure_boot, &image, &image_size,
					  &err);
	(void)!secure_boot_verify(secure_boot, golden, sizeof(golden), data, size, &err);
}

static void fuzz_kernel(const uint8_t *data, size_t size)
{
	static const uint8_t signature[5] = {1, 2, 3, 4, 5};
	uint8_t *image = malloc(size + sizeof(signature) + PE_SIGNED_OVERHEAD);
	struct error err;
	size_t signed_size;

	ASSERT(image);
	memcpy(image, data, size);
	if (portable_executable_attach(image, size, signature, sizeof(signature), &signed_size,
				       &err) == 0)
		ASSERT(signed_size <= size + sizeof(signature) + PE_SIGNED_OVERHEAD);
	free(image);
}

static void fuzz_texts(const uint8_t *data, size_t size)
{
	CLEANUP(release_keys_freep)
	struct release_keys *keys = NULL;
	char again[ENTRY_NAME_SIZE], name[ENTRY_NAME_SIZE] = "";
	struct manifest manifest;
	struct entry entry;
	struct error err;

	if (manifest_parse((const char *)data, size, &manifest, &err) == 0)
		ASSERT(manifest.version > 0 && manifest.files[MANIFEST_ROOT].size > 0);
	(void)!release_keys_parse((const char *)data, size, &keys, &err);
	memcpy(name, data, size < sizeof(name) - 1 ? size : sizeof(name) - 1);
	if (entry_parse(name, &entry)) {
		entry_name(&entry, again);
		ASSERT(entry.done == 0 || strcasecmp(name, again) == 0);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	fuzz_update(data, size);
	fuzz_members(data, size);
	fuzz_kernel(data, size);
	fuzz_texts(data, size);
	return 0;
}
