# shellcheck shell=bash disable=SC2034,SC2154 # variables are shared with image/build
# From the root folder to a disk: erofs, dm-verity, initrd, UKI, ESP, GPT. No loop device is used.

# A fixed salt is no weakness (it is no secret) and makes two builds equal. The uuid of the tree, which
# is in no hash, is the first half of the root hash: by it the initrd finds the slot.
make_verity() {
	local -a compression=('-zlz4hc,12')
	[[ -z $lz4 ]] || compression=(-zlz4)
	rm -f "$output"/root.{img,hash}
	in_tools mkfs.erofs --quiet "-T$epoch" --all-time \
		-U 5f0c9a52-0000-4000-8000-000000000001 "${compression[@]}" -C65536 \
		-Efragments,dedupe,ztailpacking /mnt/root.img /mnt/root
	make_tree_of_hashes 5f0c9a52-0000-4000-8000-000000000002
	root_hash=$(<"$output/root.roothash")
	make_tree_of_hashes "$(guid "${root_hash:0:32}")"
}

make_tree_of_hashes() {
	in_tools veritysetup format --salt="$(printf %064d 0)" --uuid="$1" \
		--root-hash-file=/mnt/root.roothash /mnt/root.img /mnt/root.hash >/dev/null
}

make_command_line() {
	{
		lines_of cmdline.in
		echo "roothash=$root_hash"
	} | paste -s -d ' ' >"$output/cmdline"
}

make_initrd() {
	local tree=$output/initrd from=$tools/usr/lib/modules/$kernel module name
	rm -rf "$tree"
	mkdir -p "$tree"/{dev,proc,sys,sysroot,modules}
	install -m 755 "$output/compile/bin/initrd-init" "$tree/init"
	cp "$output"/{cmdline,release} "$tree/"
	lines_of modules.initrd | modules_with_needs "$from" | while read -r module; do
		name=$(basename "$module" .xz)
		xz -dc "$from/$module" >"$tree/modules/$name"
		echo "/modules/$name"
	done >"$output/modules.load"
	mv "$output/modules.load" "$tree/modules.load"
	pack_initrd
}

pack_initrd() {
	find "$output/initrd" -exec touch -h -d "@$epoch" {} +
	in_tools bash -o pipefail -c 'cd /mnt/initrd && find . -print0 | LC_ALL=C sort -z |
		cpio --quiet --null --reproducible -R 0:0 -o -H newc | zstd -q -19 -c >/mnt/initrd.zst'
}

# make_uki FILE [LINE]: LINE is another command line than the initrd's, for the tests. It is joined
# twice: what pcr.key signs is computed from all of it but the section for the signature.
make_uki() {
	local signed
	signed=$(dirname "$1")
	printf 'ID=binvault\nNAME="Binvault appliance"\nVERSION_ID=%s\nIMAGE_VERSION=%s\n' \
		"$version" "$version" >"$output/os-release"
	join_uki "$1.partial" "${2:-cmdline}"
	in_tools /srv/image/pcr11.py policy "/mnt/$1.partial" >"$output/$signed/pcr11.policy"
	sign_policy "$signed"
	in_tools /srv/image/pcr11.py section "/mnt/$1.partial" /keys/pcr.pub "/mnt/$signed/pcr11.signature" \
		>"$output/$signed/pcr11.section"
	join_uki "$1" "${2:-cmdline}" "--section=.pcrsig:@/mnt/$signed/pcr11.section"
	rm "$output/$1.partial" "$output/$signed/pcr11.section"
}

join_uki() {
	in_tools ukify build --linux="/boot/vmlinuz-$kernel" --initrd=/mnt/initrd.zst \
		--cmdline="@/mnt/$2" --os-release=@/mnt/os-release --uname="$kernel" \
		--pcrpkey=/keys/pcr.pub "${@:3}" --output="/mnt/$1" >/dev/null
}

# With --signatures the build ends here as long as one of these is not there.
wait_for() {
	local name
	local -a missing=()
	[[ -n $signatures ]] || return 0
	for name in "$@"; do
		[[ -e $signatures/$name ]] || missing+=("$name")
	done
	((${#missing[@]} > 0)) || return 0
	say "no disk yet: $signatures has no ${missing[*]}; see image/README.md, Keys in a token"
	exit 4
}

need_private_key() {
	[[ -e $keys/$1.key ]] ||
		fail "$keys has no $1.key; if it is in a token: --signatures, and see image/README.md"
}

# sign_policy FOLDER: pcr.key's word on the value of PCR 11 in which the data volume opens.
sign_policy() {
	if [[ -n $signatures ]]; then
		wait_for pcr11.signature
		cp "$signatures/pcr11.signature" "$output/$1/"
	else
		need_private_key pcr
		in_tools openssl dgst -sha256 -sign /keys/pcr.key -out "/mnt/$1/pcr11.signature" \
			"/mnt/$1/pcr11.policy"
	fi
	in_tools openssl dgst -sha256 -verify /keys/pcr.pub -signature "/mnt/$1/pcr11.signature" \
		"/mnt/$1/pcr11.policy" >/dev/null 2>&1 ||
		fail "pcr11.signature is not that of this build's pcr11.policy by the key of pcr.pub; sign it again"
}

# Keys for trying it out, made once a folder and never part of the project. Those of a release stay
# in a token (--signatures; see README.md). pcr.key signs, inside the kernel image, the value of PCR 11
# that opens the data volume; its public half is in the root.
make_test_keys() {
	local key
	for key in PK KEK db foreign; do
		[[ -e $keys/$key.crt ]] || in_tools openssl req -new -x509 -newkey rsa:2048 -noenc \
			-sha256 -days 3650 -subj "/CN=Binvault test $key/" -keyout "/keys/$key.key" \
			-out "/keys/$key.crt" 2>/dev/null
	done
	compgen -G "$keys/release*.pub" >/dev/null || for key in release{1,2,3}; do
		in_tools sh -c "openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 \
			-out /keys/$key.key && openssl pkey -in /keys/$key.key -pubout \
			-out /keys/$key.pub"
	done
	[[ -e $keys/owner.pem ]] || in_tools openssl req -new -x509 -newkey ec -pkeyopt \
		ec_paramgen_curve:P-256 -noenc -days 3650 -subj "/CN=Binvault test owner/" \
		-keyout /keys/owner.key -out /keys/owner.pem 2>/dev/null
	for key in 1 2 3; do
		[[ -e $keys/custodian-$key.pem ]] || in_tools openssl req -new -x509 -newkey rsa:2048 \
			-noenc -days 3650 -subj "/CN=Binvault test custodian $key/" \
			-keyout "/keys/custodian-$key.key" -out "/keys/custodian-$key.pem" 2>/dev/null
	done
	cat "$keys"/custodian-{1,2,3}.pem >"$keys/custodians.pem"
	[[ -e $keys/pcr.pub ]] || in_tools sh -c 'openssl genrsa -out /keys/pcr.key 2048 2>/dev/null &&
		openssl rsa -in /keys/pcr.key -pubout -out /keys/pcr.pub 2>/dev/null'
}

# sign FILE TO [KEY]: the signature stands alone as well, in TO.signature: whoever has the unsigned
# bytes can attach and compare.
sign() {
	local from=$1 to=$2 key=${3:-db} certificate
	if [[ -n $signatures ]]; then
		cp "$signatures/$to.signature" "$output/"
	else
		need_private_key "$key"
		in_tools sbsign --detached --key "/keys/$key.key" --cert "/keys/$key.crt" \
			--output "/mnt/$to.signature" "$from" 2>/dev/null
	fi
	for certificate in "$keys/$key"*.crt; do
		in_tools sbverify --cert "/keys/${certificate##*/}" --detached "/mnt/$to.signature" \
			"$from" >/dev/null 2>&1 || continue
		in_tools cp "$from" "/mnt/$to"
		in_tools sbattach --attach "/mnt/$to.signature" "/mnt/$to" 2>/dev/null
		return
	done
	rm "$output/$to.signature"
	fail "$to.signature is not that of this build's ${from##*/} by the key of a $key*.crt; sign it again"
}

# esp FILE SOURCE=TARGET...: a FAT32 file system with these files.
esp() {
	local file=$1 pair target
	shift
	rm -f "${output:?}/$file"
	truncate -s 80M "$output/$file"
	in_tools mkfs.vfat --invariant -F 32 -i 5f0c9a52 -n ESP "/mnt/$file" >/dev/null
	in_tools mmd -i "/mnt/$file" ::EFI ::EFI/BOOT ::EFI/Linux ::loader
	for pair in "$@"; do
		target=${pair#*=}
		in_tools mcopy -o -i "/mnt/$file" "${pair%%=*}" "::$target"
	done
}

guid() {
	sed -E 's/^(.{8})(.{4})(.{4})(.{4})(.{12})$/\1-\2-\3-\4-\5/' <<<"$1"
}

mib() {
	echo $((($(stat -c %s "$1") + 1048575) / 1048576))
}

# disk ESP FILE: slot A is filled, slot B is as large and empty, for the next version. Then the two
# letter boxes (provision/letterbox.h). The data volume is made behind them, at the first start.
disk() {
	local esp_file=$1 file=$2 esp_size hash_size=16 letter_size=2 at=1 size rest
	local root_size=$((($(mib "$output/root.img") * 3 / 2 + 15) / 16 * 16))
	(($(mib "$output/root.hash") <= hash_size)) ||
		fail "the hash tree has outgrown its $hash_size MiB on the disk; give it more in image/lib/artefacts.sh"
	esp_size=$(mib "$output/$esp_file")
	rm -f "${output:?}/$file"
	truncate -s $((2 + esp_size + 2 * (root_size + hash_size) + 2 * letter_size))M "$output/$file"
	{
		echo "label: gpt"
		echo "label-id: 5f0c9a52-0000-4000-8000-00000000000a"
		while read -r size rest; do
			echo "start=${at}MiB, size=${size}MiB, $rest"
			at=$((at + size))
		done <<-END
			$esp_size type=C12A7328-F81F-11D2-BA4B-00A0C93EC93B,uuid=5f0c9a52-0000-4000-8000-00000000000b,name=esp
			$root_size type=4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709,uuid=5f0c9a52-0000-4000-8000-000000000011,name=root_a,attrs="GUID:60"
			$hash_size type=2C7357ED-EBD2-46D9-AEC1-23D437EC2BF5,uuid=5f0c9a52-0000-4000-8000-000000000012,name=verity_a,attrs="GUID:60"
			$root_size type=4F68BCE3-E8CD-4DB1-96E7-FBCAF984B709,uuid=5f0c9a52-0000-4000-8000-00000000000d,name=root_b
			$hash_size type=2C7357ED-EBD2-46D9-AEC1-23D437EC2BF5,uuid=5f0c9a52-0000-4000-8000-00000000000e,name=verity_b
			$letter_size type=709ece15-598f-4cdb-96bb-0190083d4ebe,uuid=5f0c9a52-0000-4000-8000-00000000000f,name=binvault_in
			$letter_size type=709ece15-598f-4cdb-96bb-0190083d4ebe,uuid=5f0c9a52-0000-4000-8000-000000000010,name=binvault_out
		END
	} >"$output/partitions"
	in_tools sfdisk --quiet "/mnt/$file" <"$output/partitions"
	place "$esp_file" "$file" 1
	place root.img "$file" $((1 + esp_size))
	place root.hash "$file" $((1 + esp_size + root_size))
}

place() {
	dd if="$output/$1" of="$output/$2" bs=1M seek="$3" conv=notrunc,sparse status=none
}

# Package, version and source of everything from Debian, and ourselves.
make_sbom() {
	{
		printf 'package\tversion\tsource\n'
		awk -v RS= -F '\n' '{
			name = version = source = ""
			for (i = 1; i <= NF; i++) {
				if ($i ~ /^Package: /) name = substr($i, 10)
				if ($i ~ /^Version: /) version = substr($i, 10)
				if ($i ~ /^Source: /) source = substr($i, 9)
			}
			print name "\t" version "\t" (source ? source : name)
		}' "$output/packages.status" | LC_ALL=C sort
		printf 'linux\t%s\tlinux\nbinvault\t%s\tbinvault\n' "$kernel" "$version"
	} >"$output/sbom.tsv"
}

# Of a release only the public halves are here: what is missing is not made up.
need_public_keys() {
	local name
	for name in db.crt pcr.pub release.pub; do
		compgen -G "$keys/${name%.*}*.${name#*.}" >/dev/null ||
			fail "$keys has no ${name%.*}*.${name#*.}, and with --signatures no key is made for trying out"
	done
}

# Firmware variables for a virtual machine: our keys enrolled, Secure Boot on; and the same with the
# kernel image revoked by its hash.
make_test_variables() {
	local owner=5f0c9a52-0000-4000-8000-0000000000aa
	local -a enrol=(--set-pk "$owner" /keys/PK.crt --add-kek "$owner" /keys/KEK.crt
		--add-db "$owner" /keys/db.crt --secure-boot)
	cp /usr/share/OVMF/OVMF_VARS_4M.fd "$output/ovmf.fd"
	in_tools hash-to-efi-sig-list /mnt/vault.efi /mnt/revoked.esl >/dev/null
	in_tools sign-efi-sig-list -a -g "$owner" -t "2026-01-01 00:00:00" -k /keys/KEK.key \
		-c /keys/KEK.crt dbx /mnt/revoked.esl /mnt/revoked.auth >/dev/null
	in_tools virt-fw-vars --input /mnt/ovmf.fd --output /mnt/test/enrolled.fd "${enrol[@]}"
	in_tools virt-fw-vars --input /mnt/ovmf.fd --output /mnt/test/revoked.fd "${enrol[@]}" \
		--set-dbx /mnt/revoked.auth
	rm "$output"/{ovmf.fd,revoked.esl,revoked.auth}
}

# test_disk NAME KERNEL: started by the firmware itself, whose word on it is then on the console.
test_disk() {
	esp test/esp.img "/mnt/$2=EFI/BOOT/BOOTX64.EFI"
	disk test/esp.img "test/$1.img"
	rm "$output/test/esp.img"
}

# Version 2, which lets no older one run once it is good, as a build of its own in test/next.
make_next_version() {
	mkdir "$output/test/next"
	cp -a "$output/compile" "$output/test/next/"
	BINVAULT_IMAGE_NAMESPACE='' BINVAULT_IMAGE_KEYS=$keys "$image/build" \
		--output "$output/test/next" --version 2 --floor 2 --release-threshold "$release_threshold" \
		${lz4:+--lz4} ${samba:+--samba} ${softhsm:+--softhsm} ${owner:+--owner "$owner"} \
		${custodians:+--custodians "$custodians"} ${threshold:+--threshold "$threshold"}
	rm -r "$output"/test/next/{compile,root}
}

# One disk for each way in which a kernel image can be wrong; what is wrong inside the root, the
# tests do themselves to a copy.
make_test_disks() {
	local signed_hash=$root_hash
	rm -rf "$output/test"
	mkdir "$output/test"
	test_disk good vault.efi
	test_disk unsigned vault.unsigned.efi
	sign /mnt/vault.unsigned.efi test/kernel.efi foreign
	test_disk foreign test/kernel.efi
	sed 's/$/ systemd.unit=emergency.target/' "$output/cmdline" >"$output/test/cmdline"
	make_uki test/unsigned.efi test/cmdline
	sign /mnt/test/unsigned.efi test/kernel.efi
	test_disk other_line test/kernel.efi
	# the last digit of the hash is another one, on the disk as well
	sed -i "s/$signed_hash/${signed_hash:0:63}$(printf %x $((0x${signed_hash:63} ^ 1)))/" \
		"$output/cmdline"
	root_hash=${signed_hash:0:63}$(printf %x $((0x${signed_hash:63} ^ 1)))
	make_initrd
	make_uki test/unsigned.efi
	sign /mnt/test/unsigned.efi test/kernel.efi
	test_disk wrong_hash test/kernel.efi
	root_hash=$signed_hash
	make_command_line
	make_initrd
	in_tools /srv/image/tests/unsign_module.py /mnt/initrd/modules/erofs.ko
	pack_initrd
	make_uki test/unsigned.efi
	sign /mnt/test/unsigned.efi test/kernel.efi
	test_disk unsigned_module test/kernel.efi
	make_initrd
	make_test_variables
	# a second disk, prepared for the archive as README.md says
	truncate -s 2G "$output/test/data.img"
	in_tools sfdisk --quiet /mnt/test/data.img <<<'label: gpt
type=4e09fe2f-473d-4de9-b16a-89e12c6d3b98, name=binvault_data'
	make_next_version
	rm -f "$output"/test/{kernel.efi,kernel.efi.signature,unsigned.efi,cmdline,pcr11.policy,pcr11.signature}
}
