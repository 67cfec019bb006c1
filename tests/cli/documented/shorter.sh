#!/bin/sh
# Stands in for `cvae-gpu` while documented commands run. It passes their words on as they stand and
# appends only options that a command leaves at its default: a small image set in place of the 60 000
# images of MNIST, a small model, few steps, no pictures. Each call is noted in $CALLS with its exit status.

given=" $* "
lacks() {
	case $given in *" $1 "* | *" $1="*) return 1 ;; esac
}

small_model=false
case $1 in
train)
	if lacks --resume; then
		lacks --data && set -- "$@" --data small/mnist
		lacks --max-steps && set -- "$@" --max-steps 2
		lacks --no-images && set -- "$@" --no-images
		lacks --batch && set -- "$@" --batch 8
		lacks --init && small_model=true
	else
		# More steps each time, so that a run that goes on has some to do.
		lacks --max-steps && set -- "$@" --max-steps $((3 + $(grep -c -- --resume "$CALLS")))
	fi
	;;
bench)
	lacks --steps && set -- "$@" --steps 1
	lacks --repeats && set -- "$@" --repeats 1
	lacks --batch && set -- "$@" --batch 8
	lacks --tune || set -- "$@" --disable texels
	small_model=true
	;;
# One recorded case. Another test runs all that is built in, which takes half a minute.
check) lacks --case && set -- "$@" --case p1.safetensors ;;
# A model without a run is evaluated on MNIST.
eval) lacks --limit && set -- "$@" --limit 40 ;;
esac
if $small_model && lacks --arch && lacks --encoder-filters; then
	set -- "$@" --encoder-filters 8,8
	lacks --decoder-filters && set -- "$@" --decoder-filters 8,8
	lacks --decoder-base && set -- "$@" --decoder-base 8
fi
if [ -n "$CVAE_GPU_BACKEND" ] && lacks --backend; then set -- "$@" --backend "$CVAE_GPU_BACKEND"; fi
if [ -n "$CVAE_GPU_ADAPTER" ] && lacks --adapter; then set -- "$@" --adapter "$CVAE_GPU_ADAPTER"; fi

"$PROGRAM" "$@"
status=$?
echo "$status cvae-gpu $*" >>"$CALLS"
exit $status
