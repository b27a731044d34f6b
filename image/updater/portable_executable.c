#include "updater/portable_executable.h"

#include <string.h>

#include "base/checked.h"
#include "base/endian.h"

/* Microsoft PE/COFF specification, "Optional Header (Image Only)" and "The Attribute Certificate
 * Table". */
#define HEADER_POINTER	   0x3c
#define OPTIONAL_HEADER	   24 /* behind the signature and the COFF header */
#define MAGIC_PE32_PLUS	   0x20b
#define CHECKSUM	   64
#define DIRECTORY_COUNT	   108
#define SECURITY_DIRECTORY 144 /* entry 4: offset in the file and size */
#define DIRECTORY_END	   152
#define REVISION_2	   0x0200
#define TYPE_PKCS	   0x0002
#define CERTIFICATE_HEADER 8

/* Where its optional header is, of an unsigned image; -1 and the error if it is none. */
static long find_header(const uint8_t *image, size_t size, struct error *err)
{
	const uint8_t *optional;
	size_t at;

	if (size < 1024 || size > UINT32_MAX / 2 || memcmp(image, "MZ", 2) != 0)
		return error_set(err, ERROR_DEFECT, "the kernel image is no PE image");
	at = get_le32(image + HEADER_POINTER);
	if (at > size - OPTIONAL_HEADER - DIRECTORY_END || memcmp(image + at, "PE\0", 4) != 0)
		return error_set(err, ERROR_DEFECT, "the kernel image has no PE header");
	optional = image + at + OPTIONAL_HEADER;
	if (get_le16(optional) != MAGIC_PE32_PLUS || get_le32(optional + DIRECTORY_COUNT) < 5)
		return error_set(err, ERROR_DEFECT, "the kernel image is not for 64 bits");
	if (get_le32(optional + SECURITY_DIRECTORY) != 0)
		return error_set(err, ERROR_DEFECT, "the kernel image is signed already");
	return (long)(at + OPTIONAL_HEADER);
}

int portable_executable_digest(const uint8_t *image, size_t size, struct hash *ret_digest,
			       struct error *err)
{
	static const uint8_t padding[8];
	CLEANUP(hasher_freep)
	struct hasher *hasher = hasher_new();
	long header = find_header(image, size, err);
	const uint8_t *checksum, *directory, *end = image + size;

	if (header < 0)
		return err->code;
	checksum = image + header + CHECKSUM;
	directory = image + header + SECURITY_DIRECTORY;
	hasher_start(hasher);
	hasher_update(hasher, image, (size_t)(checksum - image));
	hasher_update(hasher, checksum + 4, (size_t)(directory - checksum - 4));
	hasher_update(hasher, directory + 8, (size_t)(end - directory - 8));
	hasher_update(hasher, padding, round_up(size, 8) - size);
	hasher_finish(hasher, ret_digest);
	return 0;
}

int portable_executable_attach(uint8_t *image, size_t size, const uint8_t *signature,
			       size_t signature_size, size_t *ret_size, struct error *err)
{
	size_t begin = round_up(size, 8);
	size_t length = round_up(CERTIFICATE_HEADER + signature_size, 8);
	long header = find_header(image, size, err);

	if (header < 0)
		return err->code;
	if (signature_size == 0 || signature_size > PE_SIGNATURE_SIZE_MAX)
		return error_set(err, ERROR_DEFECT, "a signature of %zu bytes", signature_size);
	put_le32(image + header + SECURITY_DIRECTORY, (uint32_t)begin);
	put_le32(image + header + SECURITY_DIRECTORY + 4, (uint32_t)length);
	memset(image + size, 0, begin - size);
	memset(image + begin, 0, length);
	put_le32(image + begin, (uint32_t)length);
	put_le16(image + begin + 4, REVISION_2);
	put_le16(image + begin + 6, TYPE_PKCS);
	memcpy(image + begin + CERTIFICATE_HEADER, signature, signature_size);
	*ret_size = begin + length;
	return 0;
}
