package martinet

import (
	"os/exec"
	"runtime"
	"syscall"
)

// run starts a command that ends with this process, even if the process is killed. For the kernel, the process ends with the thread
// that started the command, so the thread is kept until then.
func run(command *exec.Cmd) (<-chan struct{}, error) {
	command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	started, ended := make(chan error), make(chan struct{})
	go func() {
		runtime.LockOSThread()
		err := command.Start()
		started <- err
		if err == nil {
			_ = command.Wait()
		}
		close(ended)
	}()
	return ended, <-started
}
