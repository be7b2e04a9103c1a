import { svelte } from '@sveltejs/vite-plugin-svelte';
import { defineConfig } from 'vite';

// The bundle lies inside the Python package of the server; relative addresses let it work under any URL prefix.
export default defineConfig({
  base: './',
  plugins: [svelte()],
  build: {
    outDir: process.env.RUNHAVEN_STATIC ?? '../server/runhaven_server/static',
    emptyOutDir: true,
    target: 'es2022',
    assetsInlineLimit: 0,
    // The viewers of media are large, and loaded when the first of their kind is shown.
    chunkSizeWarningLimit: 6000,
  },
  server: { proxy: { '/api': { target: process.env.RUNHAVEN_SERVER ?? 'http://127.0.0.1:7878', ws: true } } },
});
