# shellcheck shell=bash
echo s >'with space.txt'
echo o >'other file'
echo sp >space
echo b >'arr[0].txt'
