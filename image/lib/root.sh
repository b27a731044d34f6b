# shellcheck shell=bash disable=SC2034,SC2154 # variables are shared with image/build
# The root of the image as a folder: the root tree, our programs and files, and what is taken away.

# Of a list of the image, and of the list of that name that the share has.
lines_of() {
	local file
	for file in "$image/$1" "$image/share/$share/$1"; do
		[[ ! -e $file ]] || sed -e 's/[[:space:]]*#.*//' -e '/^[[:space:]]*$/d' "$file"
	done
}

# What a module needs comes before it: modules.dep names the nearest need first. What the kernel has
# built in needs no module.
modules_with_needs() {
	local folder=$1 name file line
	while read -r name; do
		file="(^|/)${name//[-_]/[-_]}\.ko"
		if ! line=$(grep -E "${file}[^:]*:" "$folder/modules.dep"); then
			grep -q -E "$file$" "$folder/modules.builtin" ||
				fail "Debian's kernel $kernel has no module '$name'; mend image/modules.*"
			continue
		fi
		{
			tr ' ' '\n' <<<"${line#*:}" | sed '/^$/d' | tac
			echo "${line%%:*}"
		}
	done | awk '!seen[$0]++'
}

# Only the modules of the two lists are in the image: no driver that is absent can be loaded.
copy_modules() {
	local from=$tools/usr/lib/modules/$kernel to=$root/usr/lib/modules/$kernel module
	mkdir -p "$to"
	cp "$from"/modules.{builtin,builtin.modinfo,order} "$to/"
	{
		lines_of modules.initrd
		lines_of modules.root
		[[ -z $share_test ]] || echo nfsv4
	} | modules_with_needs "$from" |
		while read -r module; do
			install -D -m 644 "$from/$module" "$to/$module"
		done
	in_tools depmod -b /mnt/root/usr "$kernel"
}

delete_unwanted() {
	local pattern program keep
	keep=" ${share_test:+binvault-share-client} $(lines_of keep.list | tr '\n' ' ')"
	for program in "$root"/usr/{bin,sbin}/*; do
		[[ $keep == *" ${program##*/} "* ]] || rm -f "$program"
	done
	while read -r pattern; do
		# shellcheck disable=SC2086 # the pattern is meant
		(cd "$root" && rm -rf -- $pattern)
	done < <(lines_of delete.list)
}

# Each service that stays has a row, with the reason why it is exposed as it is: see README.md.
delete_services() {
	local service keep
	keep=" $(lines_of services.tsv | cut -f 1 | tr '\n' ' ')"
	for service in "$root"/usr/lib/systemd/system/*.service; do
		[[ $keep == *" ${service##*/} "* ]] || rm -f "$service"
	done
	# and what enabled them, or gave them another name
	find "$root/etc/systemd/system" -type l -lname '/usr/lib/*' | while read -r service; do
		[[ -e $root$(readlink "$service") ]] || rm "$service"
	done
}

mask_units() {
	local unit
	while read -r unit; do
		ln -sf /dev/null "$root/etc/systemd/system/$unit"
	done < <(lines_of masks.list)
}

enable_unit() {
	mkdir -p "$root/etc/systemd/system/$2.wants"
	ln -sf "${3:-/etc/systemd/system}/$1" "$root/etc/systemd/system/$2.wants/$1"
}

# Everything of the build that could differ from one day to the next.
settle() {
	: >"$root/etc/machine-id"
	echo vault >"$root/etc/hostname"
	ln -sf /run/binvault-hosts "$root/etc/hosts"
	[[ -z $softhsm ]] || chmod -R a+rX "$root/etc/softhsm"
	rm -f "$root"/etc/{.pwd.lock,passwd-,shadow-,group-,gshadow-,resolv.conf}
	sed -i -E 's#:[^:]*$#:/usr/sbin/nologin#' "$root/etc/passwd"
	sed -i -E 's#^([^:]*):[^:]*:[^:]*:#\1:!*:1:#' "$root/etc/shadow"
	chmod -R u-s,g-s "$root"
	find "$root" -exec touch -h -d "@$epoch" {} +
}

# Whom the vault obeys, and who can open its volume, is part of what is signed.
install_owner() {
	[[ -z $softhsm || -n $owner ]] || owner=$keys/owner.pem
	if [[ -n $softhsm && -z $custodians ]]; then
		custodians=$keys/custodians.pem threshold=2
	fi
	if [[ -n $custodians ]]; then
		install -m 644 "$custodians" "$root/usr/lib/binvault/custodians.pem"
		echo "$threshold" >"$root/usr/lib/binvault/threshold"
	fi
	[[ -z $owner ]] || install -m 644 "$owner" "$root/usr/lib/binvault/owner.pem"
}

# What the image says of itself, and who may bring a newer one.
install_release() {
	printf 'version %s\nfloor %s\n' "$version" "$floor" >"$output/release"
	install -m 644 "$output/release" "$root/usr/lib/binvault/release"
	# shellcheck disable=SC2046 # names without blanks
	in_tools /srv/image/update keys --threshold "$release_threshold" \
		$(cd "$keys" && printf '/keys/%s ' release*.pub) \
		>"$root/usr/lib/binvault/release-keys.json"
	cat "$keys"/db*.crt >"$root/usr/lib/binvault/secure-boot.pem"
}

# A token in software is for trying out; keys in it are as safe as the data volume.
delete_softhsm() {
	rm -rf "$root"/usr/{lib,share}/softhsm "$root"/usr/bin/softhsm2-* "$root/etc/softhsm" \
		"$root"/usr/lib/*/softhsm
}

# A way to an HSM in hardware, for the daemon that asks it and for binvault-configure.service, whose
# `binvault init` makes the vault's keys in it. It is part of what is signed; no bundle opens another.
install_hsm() {
	local unit system=$root/etc/systemd/system
	for unit in binvault-hsm.service binvault-configure.service; do
		mkdir -p "$system/$unit.d"
		{
			echo "[Service]"
			[[ -z $hsm_device ]] || printf 'PrivateDevices=no\nDeviceAllow=%s rw\n' "$hsm_device"
			[[ -z $hsm_address ]] || printf '%s\n' PrivateNetwork=no RestrictAddressFamilies=AF_INET \
				"IPAddressAllow=${hsm_address%:*}"
		} >"$system/$unit.d/20-hsm.conf"
	done
	[[ -z $hsm_device ]] || install_hsm_device
	[[ -z $hsm_address ]] || install_hsm_filter
}

install_hsm_device() {
	mkdir -p "$root/etc/udev/rules.d"
	printf 'KERNEL=="%s", OWNER="binvault-hsm", GROUP="root", MODE="0600"\n' "${hsm_device#/dev/}" \
		>"$root/etc/udev/rules.d/90-binvault-hsm.rules"
}

# To one address and port, and for one user: by its number, see sysusers.d.
install_hsm_filter() {
	local address=${hsm_address%:*} port=${hsm_address#*:}
	mkdir -p "$root/etc/nftables.d"
	printf 'add rule inet binvault %s accept\n' \
		"output meta skuid 903 ip daddr $address tcp dport $port" \
		"input ip saddr $address tcp sport $port ct state established" \
		>"$root/etc/nftables.d/hsm.nft"
}

# A certificate of the share's test: its name, its CA, and as whom it may be used.
share_certificate() {
	in_tools openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc \
		-subj "/CN=$1" -keyout "$3/$1.key" -out "$3/$1.csr" 2>/dev/null
	printf 'subjectAltName=DNS:%s,IP:127.0.0.1\nextendedKeyUsage=serverAuth,clientAuth\n' "$1" |
		in_tools openssl x509 -req -in "$3/$1.csr" -CA "$3/$2.pem" -CAkey "$3/$2.key" \
			-days 365 -extfile /dev/stdin -out "$3/$1.pem" 2>/dev/null
	in_tools rm "$3/$1.csr"
}

install_share_test() {
	local name to=/mnt/root/usr/lib/binvault/share-test
	cp -r --no-preserve=ownership,timestamps "$image/tests/share/rootfs/." "$root/"
	install -m 755 "$output/compile/bin/binvault-share-client" "$root/usr/sbin/"
	for name in ca foreign-ca; do
		in_tools openssl req -new -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -noenc \
			-days 365 -subj "/CN=$name" -keyout "$to/$name.key" -out "$to/$name.pem" 2>/dev/null
	done
	share_certificate share ca $to
	share_certificate client ca $to
	share_certificate foreign foreign-ca $to
	head -c 3000001 /dev/urandom >"$root/usr/lib/binvault/share-test/data"
	enable_unit binvault-share-client.service multi-user.target
}

make_root() {
	rm -rf "$root"
	cp -a "$root_tree" "$root"
	cp "$root/var/lib/dpkg/status" "$output/packages.status"
	DESTDIR='' in_tools env DESTDIR=/mnt/root ninja -C /mnt/compile install >/dev/null
	install -m 755 "$output/compile/bin/binvault-selftest" "$root/usr/sbin/"
	install -m 755 "$output"/compile/bin/binvault-{volume,configure,restores,token,update} "$root/usr/libexec/binvault/"
	install -D -m 644 "$keys/pcr.pub" "$root/usr/lib/binvault/pcr.pub"
	install_owner
	install_release
	cp -r --no-preserve=ownership,timestamps "$image/rootfs/." "$image/share/$share/rootfs/." "$root/"
	[[ -z $hsm_device$hsm_address ]] || install_hsm
	in_tools systemd-sysusers --root=/mnt/root
	[[ -z $share_test ]] || install_share_test
	copy_modules
	delete_services
	mask_units
	enable_unit nftables.service sysinit.target /usr/lib/systemd/system
	for unit in binvault-{volume,configure,lock-modules,selftest,keeper,hsm,restores,update,time}.service \
		binvault-{export.socket,status.timer} $(lines_of enabled.list) var-lib-binvault.mount; do
		enable_unit "$unit" multi-user.target
	done
	ln -sf /usr/lib/systemd/system/multi-user.target "$root/etc/systemd/system/default.target"
	delete_unwanted
	[[ -n $softhsm ]] || delete_softhsm
	settle
}
