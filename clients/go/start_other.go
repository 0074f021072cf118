//go:build !linux

package martinet

import "os/exec"

func run(command *exec.Cmd) (<-chan struct{}, error) {
	if err := command.Start(); err != nil {
		return nil, err
	}
	ended := make(chan struct{})
	go func() {
		_ = command.Wait()
		close(ended)
	}()
	return ended, nil
}
