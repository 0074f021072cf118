module martinet.test/martinet

go 1.19
