# bash completion for stave(1).  A unit test compares the words with the
# option tables in cmd/.

# shellcheck shell=bash

declare -gA _stave_options=(
	[build]='--add-host --allow --annotation --build-arg --build-context --cache-from --cache-to --call --check --file --iidfile --isolation --label --load --metadata-file --network --no-cache --no-cache-filter --no-sync --output --platform --progress --propagate-exit --pull --push --quiet --secret --shm-size --ssh --store-max --tag --target --ulimit'
	[run]='--add-host --entrypoint --env --hostname --interactive --network --platform --pull --read-only --rm --shm-size --tty --ulimit --user --volume --workdir'
	[images]='--all --digests --filter --format --no-trunc --quiet'
	[inspect]='--format --platform --type'
	[history]='--format --human --no-trunc --quiet'
	[tag]=''
	[rmi]='--force'
	[prune]='--all --filter --force --keep-storage --max-used-space'
	[image prune]='--all --filter --force'
	[builder prune]='--all --filter --force --keep-storage --max-used-space'
	[save]='--format --output --platform'
	[load]='--input --quiet'
	[copy]='--authfile --platform --quiet'
	[manifest inspect]='--authfile --insecure --verbose'
	[manifest create]='--amend --authfile --insecure'
	[manifest annotate]='--arch --os --os-features --os-version --variant'
	[manifest push]='--authfile --insecure --purge'
	[manifest rm]=''
	[pull]='--all-platforms --all-tags --authfile --platform --quiet'
	[push]='--all-tags --authfile --platform --quiet'
	[deliver]='--namespace --quiet'
	[login]='--authfile --password --password-stdin --realm --username'
	[logout]='--authfile'
	[import]='--change --message --platform'
	[df]='--format'
	[logs]='--list --raw'
	[why]='--context --file --format'
	[explain-ignore]='--build-arg --file --format'
	[fmt]='--check --diff'
	[fsck]='--repair'
	[check]='--build-arg --file --fix --format --image --platform --target'
	[parse]='--format'
	[version]='--format'
)

declare -gA _stave_groups=(
	[image]='build history import inspect list load ls prune pull push remove rm save tag'
	[builder]='build prune'
	[buildx]='build du prune'
	[manifest]='annotate create inspect push rm'
	[system]='df prune'
)

declare -gA _stave_names=(
	['image build']=build ['image history']=history ['image import']=import
	['image inspect']=inspect ['image list']=images ['image load']=load
	['image ls']=images ['image prune']='image prune' ['image remove']=rmi
	['image pull']=pull ['image push']=push
	['image rm']=rmi ['image save']=save ['image tag']=tag
	['builder build']=build ['builder prune']='builder prune'
	['buildx build']=build ['buildx du']=df
	['buildx prune']='builder prune' ['system df']=df
	['system prune']=prune
	['manifest annotate']='manifest annotate'
	['manifest create']='manifest create'
	['manifest inspect']='manifest inspect'
	['manifest push']='manifest push' ['manifest rm']='manifest rm'
)

# The command of the line, as a key of _stave_options; in $_stave_command.
_stave_find_command() {
	local i word
	_stave_command=
	for ((i = 1; i < COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		case $word in
		--root) ((i++)) ;;
		-*) ;;
		*)
			if [[ -n ${_stave_groups[$word]+x} ]]; then
				_stave_group=$word
				if ((i + 1 < COMP_CWORD)); then
					_stave_command=${_stave_names["$word ${COMP_WORDS[i + 1]}"]-}
				fi
			else
				_stave_command=$word
			fi
			return
			;;
		esac
	done
}

_stave_images() {
	"${COMP_WORDS[0]}" images --format '{{.Repository}}:{{.Tag}}' \
		2>/dev/null | grep -v '<none>'
}

# The values of the option before the cursor, if it takes one of a few.
_stave_values() {
	case $1 in
	--progress) echo 'auto plain tty quiet none json rawjson' ;;
	--network) echo 'host none' ;;
	--allow) echo 'security.insecure network.host' ;;
	--secret) echo 'id=' ;;
	--ssh) echo 'default' ;;
	--isolation) echo 'auto root userns single chroot' ;;
	--output | -o) [[ $_stave_command == build ]] && echo 'type=oci,dest= type=docker type=docker,dest= type=tar,dest= type=local,dest= type=image type=registry type=cacheonly' ;;
	--filter) echo 'dangling= reference= label= before= since= until=' ;;
	--format)
		case $_stave_command in
		save) echo 'oci docker' ;;
		check) echo 'text json sarif' ;;
		parse | why | explain-ignore) echo 'json' ;;
		*) echo 'json table' ;;
		esac
		;;
	--call) echo 'build check check,format=json outline targets subrequests.describe' ;;
	esac
}

_stave() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
	local _stave_command='' _stave_group='' words

	if [[ ${COMP_WORDS[0]##*/} == build ]]; then
		_stave_command=build
	else
		_stave_find_command
	fi
	words=$(_stave_values "$prev")
	if [[ -z $words && $cur == -* ]]; then
		words="${_stave_options[${_stave_command:-none}]-} --root --debug --help"
	elif [[ -z $words && -z $_stave_command && -n $_stave_group ]]; then
		words=${_stave_groups[$_stave_group]}
	elif [[ -z $words && -z $_stave_command ]]; then
		words='build run images inspect history tag rmi prune save load copy deliver import df logs why explain-ignore fsck check fmt parse version help image builder buildx manifest system'
	elif [[ -z $words ]]; then
		case $_stave_command in
		run | inspect | history | tag | rmi | save | why)
			words=$(_stave_images)
			;;
		deliver) words="$(_stave_images) docker podman containerd" ;;
		esac
	fi
	if [[ -n $words ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$words" -- "$cur")
	fi
	__ltrim_colon_completions "$cur" 2>/dev/null || true
}

complete -o default -F _stave stave
