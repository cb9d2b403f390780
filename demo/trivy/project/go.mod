module example.com/storefront

go 1.22

require example.com/tinyqueue v0.9.5
