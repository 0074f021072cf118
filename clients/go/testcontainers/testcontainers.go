// Package testcontainers is a module for testcontainers-go: martinet as a container.
//
// It follows the modules for Python, Node and Rust, and was not tested.
package testcontainers

import (
	"context"
	"net"
	"strconv"

	"github.com/testcontainers/testcontainers-go"
	"github.com/testcontainers/testcontainers-go/wait"
	"martinet.test/martinet"
)

const (
	smtpPort = "1025/tcp"
	httpPort = "8025/tcp"
)

// Container is a running container of martinet.
type Container struct {
	testcontainers.Container
}

// WithScenario sets the scenario: a name, or ./FILE below /scenarios.
func WithScenario(scenario string) testcontainers.ContainerCustomizer {
	return testcontainers.WithEnv(map[string]string{"MARTINET_SCENARIO": scenario})
}

// WithReceiver sets the receiver: a name, or ./FILE below /scenarios.
func WithReceiver(receiver string) testcontainers.ContainerCustomizer {
	return testcontainers.WithEnv(map[string]string{"MARTINET_RECEIVER": receiver})
}

// Run starts the image, and returns when /readyz says that all servers accept connections.
func Run(ctx context.Context, image string, options ...testcontainers.ContainerCustomizer) (*Container, error) {
	options = append([]testcontainers.ContainerCustomizer{
		testcontainers.WithExposedPorts(smtpPort, httpPort),
		testcontainers.WithWaitStrategy(wait.ForHTTP("/readyz").WithPort(httpPort)),
	}, options...)
	container, err := testcontainers.Run(ctx, image, options...)
	if container == nil {
		return nil, err
	}
	return &Container{container}, err
}

// SMTPAddress returns the address of the SMTP server, host and port, as this host reaches it.
func (c *Container) SMTPAddress(ctx context.Context) (string, error) {
	return c.PortEndpoint(ctx, smtpPort, "")
}

// HTTPURL returns the URL of the HTTP server, as this host reaches it.
func (c *Container) HTTPURL(ctx context.Context) (string, error) {
	return c.PortEndpoint(ctx, httpPort, "http")
}

// World gives the test the main world. Its SMTP address is that of this host; its DNS server has no port here.
func (c *Container) World(ctx context.Context, t martinet.TB) *martinet.World {
	t.Helper()
	url, err := c.HTTPURL(ctx)
	if err != nil {
		t.Fatalf("%v", err)
	}
	address, err := c.SMTPAddress(ctx)
	if err != nil {
		t.Fatalf("%v", err)
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatalf("%v", err)
	}
	world := martinet.At(url).ExistingWorld(t, "main")
	world.SMTP, world.SMTPHost = address, host
	world.SMTPPort, _ = strconv.Atoi(port)
	return world
}
