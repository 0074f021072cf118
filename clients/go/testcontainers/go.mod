module martinet.test/martinet/testcontainers

go 1.23

require (
	github.com/testcontainers/testcontainers-go v0.38.0
	martinet.test/martinet v0.0.0
)

replace martinet.test/martinet => ../
